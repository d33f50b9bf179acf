"""Images and vectors in the bodies of the protocols: checked by the same code as those of POST /predict/batch."""

from typing import Any

import numpy as np

from mlops.domain.errors import ValidationFailed
from mlops.domain.manifest import Manifest
from predict.called import Call
from predict.inputs import SCALE_REMEDY
from predict.model_cache import ServedModel
from predict.records import Outcome
from predict.request import MAX_BATCH, Request
from predict.row_bodies import one_of

FORMATS = ("instances", "inputs")
_NO_SCALE = "divide by the value of the brightest pixel: this protocol has no scale"


def of_json(document: dict[str, Any], manifest: Manifest) -> tuple[str, Any]:
    """Return the field with the inputs in a body of MLflow's protocol, and the inputs.

    Raises:
        ValidationFailed: The body is not one of `FORMATS`. Names the field.
    """
    if not document.keys().isdisjoint(("dataframe_split", "dataframe_records")):
        raise ValidationFailed.of_field("body", f"this model has no named columns; send {' or '.join(FORMATS)}")
    source, value = one_of(document, FORMATS)
    if type(value) is not dict:
        return source, value
    assert manifest.input is not None
    if source != "inputs" or value.keys() != {manifest.input.name}:
        raise ValidationFailed.of_field(source, f"must be a list; or in inputs an object of {manifest.input.name!r}")
    return f"{source}.{manifest.input.name}", value[manifest.input.name]


def outcome(call: Call, model: ServedModel, source: str, entries: Any) -> Outcome:
    """Ask a model of images or vectors.

    Args:
        call: The request.
        model: The model.
        source: What an error calls the inputs.
        entries: A list of inputs, which are lists of numbers, nested or not; or float64 `[n, features]`.

    Raises:
        ValidationFailed: They are not the model's, or it has no finite answer. Names the input.
    """
    if type(entries) is not np.ndarray:
        _check(source, entries)
    assert model.manifest.input is not None
    field = "images" if model.manifest.input.image else "inputs_list"
    try:
        return call.ask(model, Request(field, entries, 1, model.manifest.model_name), call.request_id)
    except ValidationFailed as error:
        raise ValidationFailed.of_fields(
            (source + each["field"].removeprefix(field), each["message"].replace(SCALE_REMEDY, _NO_SCALE))
            for each in error.extra["errors"]
        ) from None


def check_count(source: str, count: int) -> None:
    """Raises ValidationFailed: there are no inputs, or too many."""
    if not 1 <= count <= MAX_BATCH:
        raise ValidationFailed.of_field(source, f"has {count} inputs; send 1 to {MAX_BATCH} per request")


def _check(source: str, entries: Any) -> None:
    if type(entries) is not list:
        raise ValidationFailed.of_field(source, "must be a list of inputs, which are lists of numbers")
    check_count(source, len(entries))
    for index, entry in enumerate(entries):
        if type(entry) is not list or not entry:
            raise ValidationFailed.of_field(f"{source}.{index}", "must be a list of numbers")
