"""The published schema of the contract route. The handler does not import it; a test compares the two."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from mlops.api.schemas.predict import optional


class Signature(BaseModel):
    """MLflow's signature, whose parts are JSON in a string."""

    inputs: str
    outputs: str
    params: str | None


class ContractColumn(BaseModel):
    name: str
    type: Literal["double", "long", "boolean", "string", "datetime"]
    required: bool = Field(description="Whether each row needs the column")
    proved: list[Literal["null", "absent", "unseen", "beyond"]] = Field(
        description="What it takes beyond the values of training: null, rows without it, unseen text, numbers beyond "
        "low and high"
    )
    levels: list[str] | None = Field(description="The text that training has seen, the most frequent first")
    low: float | None = Field(description="The lowest number that training has seen")
    high: float | None = Field(description="The highest one")
    form: str | None = Field(
        description="How CSV files write the column; null is the usual form: decimal points, true and false, ISO dates"
    )


class ContractInput(BaseModel):
    """The only input of a model of images or vectors: float32 [n, features]."""

    name: str
    features: int
    image: list[int] | None = Field(description="Rows and columns of pixels from 0 to 1")
    framing: str | None = Field(
        description="digits or mnist: digits lie in their pictures as in that data set; null if that is not known"
    )


class ContractExample(BaseModel):
    """A request that the model answers."""

    request: dict[str, Any] = Field(description="The body of POST /predict, or of POST /predict/staging")
    curl: str
    python: str


class DecisionRule(BaseModel):
    """When a model of two classes answers with the second one."""

    label: int | str
    threshold: float


class ModelContract(BaseModel):
    """What a version takes and gives."""

    model_name: str
    model_version: int
    model_stage: Literal["Production", "Staging"]
    sha256: str = Field(description="SHA-256 of the ONNX file")
    task: Literal["classification", "regression"]
    target: str | None = Field(description="What the model predicts; null if the model does not say it")
    labels: list[int | str] = Field(description="The classes; empty if the model predicts a quantity")
    decision: DecisionRule = optional(
        description="Of two classes: which one is the answer from which probability on; missing without a threshold"
    )
    signature: Signature
    columns: list[ContractColumn] | None = Field(description="The columns of a table; null for images and vectors")
    input: ContractInput | None = Field(description="The input of a model of images or vectors; null for tables")
    example: ContractExample
