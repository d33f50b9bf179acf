"""The published schema of the Open Inference Protocol, version 2. The handler does not import it; a test compares the
two."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mlops.api.schemas.predict import optional
from mlops.domain.request import Request

Datatype = Literal[
    "BOOL",
    "BYTES",
    "FP16",
    "FP32",
    "FP64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
]
Parameters = dict[str, Any]


class InferInput(Request):
    name: str
    shape: list[int] = Field(min_length=1, max_length=3, description="[n, 1] or [n] for a column of a table")
    datatype: Datatype
    data: list[Any] = Field(min_length=1, description="The values, flat or nested; null is a missing value of a table")
    parameters: Parameters = optional(description="Are ignored")

    model_config = ConfigDict(extra="ignore")


class InferRequestedOutput(Request):
    name: Literal["prediction", "probabilities"]
    parameters: Parameters = optional(description="Are ignored")

    model_config = ConfigDict(extra="ignore")


class InferRequest(Request):
    """JSON without binary tensors: a table has one input for each column."""

    id: str = optional(description="Is repeated in the answer")
    inputs: list[InferInput] = Field(min_length=1)
    outputs: list[InferRequestedOutput] = optional(min_length=1, description="The outputs to answer with; all without")
    parameters: Parameters = optional(description="Are ignored")


class InferOutput(BaseModel):
    name: Literal["prediction", "probabilities"]
    shape: list[int]
    datatype: Datatype
    data: list[int | str | float]


class InferResponse(BaseModel):
    model_name: str
    model_version: str
    id: str = optional()
    outputs: list[InferOutput]


class TensorMetadata(BaseModel):
    name: str
    datatype: Datatype
    shape: list[int]


class ModelMetadata(BaseModel):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(BaseModel):
    name: str
    version: str
    extensions: list[str]


class ServerLive(BaseModel):
    live: bool


class ServerReady(BaseModel):
    ready: bool


class ModelReady(BaseModel):
    name: str
    ready: bool
