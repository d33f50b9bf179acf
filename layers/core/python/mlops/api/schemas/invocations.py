"""The published schema of MLflow's scoring protocol. The handler does not import it; a test compares the two."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mlops.api.schemas.predict import MAX_ROWS, Row, Scalar, optional
from mlops.domain.request import Request

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class DataframeSplit(Request):
    """A table as pandas writes it with `to_dict(orient="split")`."""

    columns: list[str] = Field(min_length=1)
    data: list[list[Scalar]] = Field(min_length=1, max_length=MAX_ROWS, description="A list of values for each row")
    index: list[Any] = optional(description="Is ignored")


class InvocationsRequest(Request):
    """Exactly one of the four formats of MLflow's scoring protocol; tables can also be sent as text/csv."""

    dataframe_split: DataframeSplit = optional()
    dataframe_records: list[Row] = optional(min_length=1, max_length=MAX_ROWS, description="Rows of a table")
    instances: list[Any] = optional(
        min_length=1, max_length=MAX_ROWS, description="Rows of a table, images or lists of numbers"
    )
    inputs: list[Any] | dict[str, Any] = optional(
        description="As instances; or an object with a list of values for each column; or with the tensor by its name"
    )

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in FORMATS]})


class InvocationsResponse(BaseModel):
    predictions: list[int | str | float] = Field(description="The label or the quantity of each row")


class Ping(BaseModel):
    """The model is loaded."""

    model_name: str
    model_version: int
