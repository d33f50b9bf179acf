"""The Open Inference Protocol, version 2, which the clients of KServe and Triton speak: JSON without binary tensors.

A table has one input for each column, of the shape [n, 1]; a model of images or vectors has one of the shape
[n, features]. The outputs are `prediction`, the labels or the quantities, and of a classifier `probabilities`.
"""

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from mlops import __version__
from mlops.domain.errors import NoModelInStage, ValidationFailed
from mlops.domain.manifest import Manifest
from mlops_contract import Column, ColumnType
from predict import row_bodies, tables, tensors
from predict.called import STAGES, Call, Response
from predict.model_cache import ServedModel
from predict.records import Outcome
from predict.request import is_printable, refuse_other_than_numbers

NUMBERS = frozenset(("FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"))
DATATYPES = {
    ColumnType.DOUBLE: ("FP64", NUMBERS),
    ColumnType.LONG: ("INT64", NUMBERS),
    ColumnType.BOOLEAN: ("BOOL", frozenset({"BOOL"})),
    ColumnType.STRING: ("BYTES", frozenset({"BYTES"})),
    ColumnType.DATETIME: ("BYTES", frozenset({"BYTES"})),
}
"""What the metadata says of a column of each type, and what is taken."""
PREDICTION, PROBABILITIES = "prediction", "probabilities"
MAX_DIMENSIONS = 3
"""Of a tensor: images have three."""
BINARY_HEADER = "inference-header-content-length"
LIVE = "/v2/health/live"
_FIELDS = frozenset({"id", "parameters", "inputs", "outputs"})
_BINARY = (
    "has binary tensors, which are not taken: send JSON; with tritonclient: "
    "set_data_from_numpy(values, binary_data=False)"
)


def server(call: Call) -> Response:
    """Answer with the server's name, version and extensions."""
    return call.found({"name": "mlops", "version": __version__, "extensions": []})


def live(call: Call) -> Response:
    """Answer that the server is there."""
    return call.found({"live": True})


def ready(call: Call) -> Response:
    """Answer that models can be loaded. Raises DependencyUnavailable: S3 does not answer, and none is loaded."""
    with contextlib.suppress(NoModelInStage):  # it could be loaded, if there was one
        call.models.current(call.default_model, STAGES[0])
    return call.found({"ready": True})


def model_ready(call: Call) -> Response:
    """Answer that the model is loaded."""
    return call.found({"name": call.chosen()[0].manifest.model_name, "ready": True})


def metadata(call: Call) -> Response:
    """Answer with the model's inputs and outputs."""
    manifest = call.chosen()[0].manifest
    if manifest.contract is not None:
        inputs = [_tensor(column.name, DATATYPES[column.type][0], 1) for column in manifest.contract.columns]
    else:
        assert manifest.input is not None
        inputs = [_tensor(manifest.input.name, "FP32", manifest.input.features)]
    outputs = [_tensor(PREDICTION, _datatype(manifest), 1)]
    if not manifest.predicts_quantity:
        outputs.append(_tensor(PROBABILITIES, "FP32", manifest.output.classes))
    return call.found(
        {
            "name": manifest.model_name,
            "versions": [str(manifest.model_version)],
            "platform": "onnx",
            "inputs": inputs,
            "outputs": outputs,
        }
    )


def infer(call: Call) -> Response:
    """Answer with the outputs for the inputs of one or more rows."""
    if call.header(BINARY_HEADER):
        raise ValidationFailed.of_field("body", _BINARY)
    document = call.document()
    inputs = _inputs(document)
    model, staleness = call.chosen()
    wanted = _wanted(document, model.manifest)
    warnings: list[str] = []
    if model.encoder is None:
        outcome = _of_tensor(call, model, inputs)
    else:
        encoded = row_bodies.encoded(model.encoder, _rows(inputs, model.encoder.contract.columns))
        ran = tables.run(model, encoded.feeds, "inputs")
        outcome, warnings = tables.outcome(model, encoded.feeds, ran, call.request_id), encoded.warnings
    outputs = [output for output in _outputs(model.manifest, outcome) if output["name"] in wanted]
    answer = {"model_name": model.manifest.model_name, "model_version": str(model.manifest.model_version)}
    answer |= {"id": document["id"]} if "id" in document else {}
    return call.predicted(model, staleness, {**answer, "outputs": outputs}, outcome, warnings)


def _tensor(name: str, datatype: str, width: int) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1, width]}


def _datatype(manifest: Manifest) -> str:
    """Return the datatype of the predictions."""
    if manifest.predicts_quantity:
        return "FP32"
    return "INT64" if all(type(label) is int for label in manifest.labels) else "BYTES"


def _outputs(manifest: Manifest, outcome: Outcome) -> list[dict[str, Any]]:
    predictions, datatype = outcome.answers.predictions, _datatype(manifest)
    if datatype == "BYTES":
        predictions = [*map(str, predictions)]
    outputs: list[dict[str, Any]] = [
        {"name": PREDICTION, "datatype": datatype, "shape": [len(predictions), 1], "data": predictions}
    ]
    if not manifest.predicts_quantity:
        values = np.ascontiguousarray(outcome.outputs)
        outputs.append(
            {"name": PROBABILITIES, "datatype": "FP32", "shape": list(values.shape), "data": values.reshape(-1)}
        )
    return outputs


def _inputs(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the inputs of a request by name, after checking the form of the request. Raises ValidationFailed."""
    unknown = next((name for name in document if name not in _FIELDS), None)
    if unknown is not None:
        known = ", ".join(sorted(_FIELDS))
        field = unknown if is_printable(unknown) else "body"
        raise ValidationFailed.of_field(field, f"is not a field of this request; the fields are {known}")
    if type(document.get("id", "")) is not str:
        raise ValidationFailed.of_field("id", "must be text")
    inputs: dict[str, dict[str, Any]] = {}
    for index, tensor in enumerate(_list(document, "inputs")):
        field = f"inputs.{index}"
        name = tensor.get("name") if type(tensor) is dict else None
        if type(name) is not str:
            raise ValidationFailed.of_field(field, "must be an object of name, shape, datatype and data")
        if name in inputs:
            raise ValidationFailed.of_field(field, "has the same name as an input before it")
        parameters = tensor.get("parameters", {})
        if type(parameters) is not dict:
            raise ValidationFailed.of_field(f"{field}.parameters", "must be an object; leave it out")
        if "binary_data_size" in parameters:
            raise ValidationFailed.of_field(field, _BINARY)
        inputs[name] = tensor
    return inputs


def _list(document: dict[str, Any], name: str) -> list[Any]:
    value = document.get(name)
    if type(value) is not list or not value:
        raise ValidationFailed.of_field(name, "must be a list that is not empty")
    return value


def _wanted(document: dict[str, Any], manifest: Manifest) -> set[str]:
    """Return the names of the outputs to answer with: those of the request, or all."""
    known = {PREDICTION} if manifest.predicts_quantity else {PREDICTION, PROBABILITIES}
    if "outputs" not in document:
        return known
    names = set()
    for index, output in enumerate(_list(document, "outputs")):
        name = output.get("name") if type(output) is dict else None
        if type(name) is not str or name not in known:
            raise ValidationFailed.of_field(f"outputs.{index}", f"must name one of {', '.join(sorted(known))}")
        names.add(name)
    return names


def _of_tensor(call: Call, model: ServedModel, inputs: dict[str, dict[str, Any]]) -> Outcome:
    expected = model.manifest.input
    assert expected is not None
    if inputs.keys() != {expected.name}:
        raise ValidationFailed.of_field("inputs", f"must be one tensor with the name {expected.name!r}")
    source, tensor = f"inputs.{expected.name}", inputs[expected.name]
    _check_datatype(source, tensor, NUMBERS)
    shape, data = _shape(source, tensor), _flat(source, tensor)
    if math.prod(shape) != len(data) or math.prod(shape[1:]) != expected.features:
        raise ValidationFailed.of_field(
            f"{source}.shape", f"must be [n, {expected.features}], with n times {expected.features} numbers in data"
        )
    tensors.check_count(source, shape[0])
    refuse_other_than_numbers(f"{source}.data", data, depth=0)
    try:
        numbers = np.array(data, np.float64).reshape(shape[0], -1)
    except OverflowError:
        raise ValidationFailed.of_field(f"{source}.data", "has a number that float32 cannot hold") from None
    return tensors.outcome(call, model, source, numbers)


def _rows(inputs: dict[str, dict[str, Any]], columns: tuple[Column, ...]) -> row_bodies.Rows:
    types = {column.name: column.type for column in columns}
    values = {}
    for name, tensor in inputs.items():
        source = f"inputs.{name}" if is_printable(name) else "inputs"
        shape, values[name] = _shape(source, tensor), _flat(source, tensor)
        if shape not in ([len(values[name])], [len(values[name]), 1]):
            raise ValidationFailed.of_field(f"{source}.shape", "must be [n, 1] or [n], with n values in data")
        kind = types.get(name)
        if kind is not None:
            _check_datatype(source, tensor, DATATYPES[kind][1])
    return row_bodies.of_columns("inputs", values)


def _check_datatype(source: str, tensor: dict[str, Any], known: frozenset[str]) -> None:
    datatype = tensor.get("datatype")
    if type(datatype) is not str or datatype not in known:
        raise ValidationFailed.of_field(f"{source}.datatype", f"must be one of {', '.join(sorted(known))}")


def _shape(source: str, tensor: dict[str, Any]) -> list[int]:
    shape = tensor.get("shape")
    if (
        type(shape) is not list
        or not 1 <= len(shape) <= MAX_DIMENSIONS
        or not all(type(side) is int and side >= 0 for side in shape)
    ):
        raise ValidationFailed.of_field(f"{source}.shape", f"must be a list of 1 to {MAX_DIMENSIONS} whole numbers")
    return shape


def _flat(source: str, tensor: dict[str, Any]) -> list[Any]:
    """Return the data of a tensor row by row: the protocol allows it flat and nested."""
    data = tensor.get("data")
    if type(data) is not list or not data:
        raise ValidationFailed.of_field(f"{source}.data", "must be a list that is not empty")
    for _ in range(MAX_DIMENSIONS - 1):
        if {*map(type, data)} != {list}:
            break
        data = [value for values in data for value in values]
    return data


_MODEL = "/v2/models/{name}"
ROUTES: dict[tuple[str, str], Callable[[Call], Response]] = {
    (method, path): route
    for method, path, route in (
        ("GET", "/v2", server),
        ("GET", LIVE, live),
        ("GET", "/v2/health/ready", ready),
        ("GET", _MODEL, metadata),
        ("GET", f"{_MODEL}/ready", model_ready),
        ("POST", f"{_MODEL}/infer", infer),
        ("GET", f"{_MODEL}/versions/{{version}}", metadata),
        ("GET", f"{_MODEL}/versions/{{version}}/ready", model_ready),
        ("POST", f"{_MODEL}/versions/{{version}}/infer", infer),
    )
}
