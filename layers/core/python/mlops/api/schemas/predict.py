"""The published schema of the predict routes. The handler does not import it; a test compares the two.

The number and the shape of the values depend on the model. Those of images and vectors are checked if a `ModelInput` is
given as the context: `PredictRequest.model_validate_json(body, context=manifest.input)`. What a row may have, a model's
contract says: here it is an object of numbers, strings, booleans and nulls.
"""

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from mlops.domain.model_description import ModelInput
from mlops.domain.names import ModelName
from mlops.domain.request import Request

MAX_BATCH = 100
MAX_ROWS = 1000
MAX_SCALE = 65535
FLOAT32_MAX = 3.4028234663852886e38
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

Scalar = bool | float | str | None

Pixels = Annotated[list[float], Field(min_length=1)]
Rows = Annotated[list[Pixels], Field(min_length=1)]
Image = Annotated[
    Pixels | Rows,
    Field(description="Pixels from 0 to scale: a flat list row by row, or a list of rows; 784 or 28x28 for digits"),
]
Inputs = Annotated[
    list[Annotated[float, Field(ge=-FLOAT32_MAX, le=FLOAT32_MAX)]],
    Field(min_length=1, description="One number per feature; for models that do not take images"),
]
Row = Annotated[
    dict[str, Scalar],
    Field(
        description="One value for each column of a table model, by its name. The model says which columns, types and "
        "values it takes; a datetime is RFC 3339. `id`, unless the model has a column of that name, is your own id of "
        "the row, with which its label can come back: POST /feedback"
    ),
]
Scale = Annotated[
    float, Field(gt=0, le=MAX_SCALE, description="Value of the brightest pixel, for example 255; without it, 1")
]


def optional(**more: Any) -> Any:
    """A field that may be left out but must not be null. Its default None means "not sent", and is not published."""
    return Field(default=None, json_schema_extra=_without_default, **more)


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


Version = Annotated[
    Annotated[int, Field(ge=1, lt=10**10)] | Annotated[str, Field(pattern="^0{0,9}[1-9][0-9]{0,9}$", max_length=10)],
    Field(description="The version that must answer. It has to be in a stage that the route asks; otherwise 409"),
]
WARNINGS = "What to know about the answers, such as values that were not seen in training; missing if nothing"


class PredictRequest(Request):
    """A single input: exactly one of image, image_base64, inputs and row."""

    image: Image = optional()
    image_base64: str = optional(
        min_length=1, description="Standard base64 of one byte per pixel, 0 to 255, or of a PNG of the model's size"
    )
    inputs: Inputs = optional()
    row: Row = optional()
    scale: Scale = optional()
    model_name: ModelName = optional()
    version: Version = optional()

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["image"]},
                {"required": ["image_base64"]},
                {"required": ["inputs"]},
                {"required": ["row"]},
            ],
            "dependentRequired": {"scale": ["image"]},
        }
    )

    @model_validator(mode="after")
    def _one_source(self, info: ValidationInfo) -> "PredictRequest":
        sent = self.model_fields_set
        _check_sources(sent, ("image", "image_base64", "inputs", "row"), "image")
        if "image" in sent:
            _check_image(self.image, self.scale or 1, info.context)
        if "image_base64" in sent:
            _check_base64(self.image_base64, info.context)
        if "inputs" in sent:
            _check_inputs(self.inputs, info.context)
        if "row" in sent:
            _check_row(info.context)
        return self


class BatchPredictRequest(Request):
    """1 to 100 images or inputs, or 1 to 1,000 rows: exactly one of images, inputs_list and rows."""

    images: list[Image] = optional(
        min_length=1, max_length=MAX_BATCH, description="Images, each as in the field image of POST /predict"
    )
    inputs_list: list[Inputs] = optional(
        min_length=1, max_length=MAX_BATCH, description="Inputs, each as in the field inputs of POST /predict"
    )
    rows: list[Row] = optional(
        min_length=1, max_length=MAX_ROWS, description="Rows, each as in the field row of POST /predict"
    )
    scale: Scale = optional()
    model_name: ModelName = optional()
    version: Version = optional()

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["images"]}, {"required": ["inputs_list"]}, {"required": ["rows"]}],
            "dependentRequired": {"scale": ["images"]},
        }
    )

    @model_validator(mode="after")
    def _one_source(self, info: ValidationInfo) -> "BatchPredictRequest":
        sent = self.model_fields_set
        _check_sources(sent, ("images", "inputs_list", "rows"), "images")
        for image in self.images or ():
            _check_image(image, self.scale or 1, info.context)
        for inputs in self.inputs_list or ():
            _check_inputs(inputs, info.context)
        if "rows" in sent:
            _check_row(info.context)
        return self


class Explanation(BaseModel):
    """What each column adds to an answer. `base` and the parts add up to what `of` says."""

    of: Literal["log_odds", "score", "probability", "value", "log_value"] = Field(
        description="What they add up to: log-odds, score or probability of the class; quantity or its logarithm"
    )
    label: int | str = optional(description="The class that is explained; missing if the model predicts a quantity")
    base: float = Field(description="The sum if nothing is known of the row")
    parts: dict[str, float] = Field(description="What each column adds to it")


VARIANT = "canary: the challenger of a rollout has answered; missing otherwise"
DECISION_THRESHOLD = (
    "Of a model of two classes that has one: the probability of the second class from which on it is the answer"
)
EXPLANATION_REASON = "Why an explanation is null; missing if none is"


class PredictResponse(BaseModel):
    prediction_id: str = optional(description="Id of the answer, with which its label comes back later: POST /feedback")
    variant: Literal["canary"] = optional(description=VARIANT)
    prediction: int | str | float = Field(
        description="Label of the most probable class, or by the decision threshold; or the quantity, if the model "
        "predicts one"
    )
    confidence: float = optional(
        ge=0, le=1, description="Probability of that class; a model that predicts a quantity has none"
    )
    probabilities: list[float] | dict[str, float] = optional(
        description="Probability of each class: a list in the order of the model's labels; of a row, an object by label"
    )
    decision_threshold: float = optional(description=DECISION_THRESHOLD)
    model_name: str
    model_version: int
    model_stage: Literal["Production", "Staging"]
    explanation: Explanation | None = optional(
        description="With ?explain=…, what each column adds to this answer; null if that cannot be said exactly"
    )
    explanation_reason: str = optional(description=EXPLANATION_REASON)
    warnings: list[str] = optional(description=WARNINGS)


class BatchPredictResponse(BaseModel):
    prediction_id: str = optional(
        description="Id of the answer; with the number of a row, from 0, its label comes back later: POST /feedback"
    )
    variant: Literal["canary"] = optional(description=VARIANT)
    predictions: list[int | str | float] = Field(
        description="Label of the most probable class, or by the decision threshold; or the quantity, for each input"
    )
    confidences: list[float] = optional(
        description="Probability of that class, for each input; a model that predicts quantities has none"
    )
    decision_threshold: float = optional(description=DECISION_THRESHOLD)
    model_name: str
    model_version: int
    batch_size: int = Field(description="Number of inputs")
    explanations: list[Explanation | None] | None = optional(
        description="With ?explain=…, the explanation of each row; null if the model's answers have none"
    )
    explanation_reason: str = optional(description=EXPLANATION_REASON)
    warnings: list[str] = optional(description=WARNINGS)


class CacheReloadAccepted(BaseModel):
    status: Literal["queued"]
    model_name: str
    stages: list[Literal["Production", "Staging"]]


def _check_sources(sent: set[str], sources: tuple[str, ...], scaled: str) -> None:
    if len(sent & set(sources)) != 1:
        raise ValueError(f"send exactly one of {', '.join(sources)}")
    if "scale" in sent and scaled not in sent:
        raise ValueError(f"scale is only allowed with {scaled}")


def _check_image(image: list[float] | list[list[float]], scale: float, expected: ModelInput | None) -> None:
    rows = [row for row in image if isinstance(row, list)]
    pixels = (
        [pixel for row in rows for pixel in row] if rows else [entry for entry in image if isinstance(entry, float)]
    )
    if any(not 0 <= pixel <= scale for pixel in pixels):
        raise ValueError(f"every pixel must be within 0..{scale:g}; set scale to the value of the brightest pixel")
    if any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("all rows must have the same length")
    if expected is None:
        return
    if len(pixels) != expected.features:
        raise ValueError(f"this model takes {expected.features} pixels")
    if rows and expected.image and (len(rows), len(rows[0])) != expected.image:
        raise ValueError(f"this model takes {expected.image[0]} rows of {expected.image[1]} pixels")


def _check_inputs(inputs: list[float], expected: ModelInput | None) -> None:
    if expected is not None and expected.image:
        raise ValueError("this model takes images: send image or images")
    if expected is not None and len(inputs) != expected.features:
        raise ValueError(f"this model takes {expected.features} numbers")


def _check_row(expected: ModelInput | None) -> None:
    if expected is not None:
        raise ValueError("this model has no named columns: send image, images, inputs or inputs_list")


def _check_base64(text: str, expected: ModelInput | None) -> None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(
            "image_base64 must be base64 (standard alphabet, with padding, without line breaks)"
        ) from error
    if expected is not None and not data.startswith(PNG_SIGNATURE) and len(data) != expected.features:
        raise ValueError(f"image_base64 must hold {expected.features} bytes, or a PNG")
