"""Tells whether an ONNX file refers to other files. onnxruntime would open them, relative to the working directory.

Own code, which walks over the file's protobuf fields, because the onnx package is too large for the inference layer.
"""

from collections.abc import Iterator

# Message → its fields that lead to tensors. Numbers from onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
_FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of TensorProto
MAX_DEPTH = 64


class NotOnnx(ValueError):
    """The bytes are not a protobuf message."""


def has_external_data(data: bytes) -> bool:
    """Whether any tensor of the model keeps its values in another file.

    Raises:
        NotOnnx: the bytes do not parse, or nest deeper than any real model.
    """
    return _walk(memoryview(data), "model", 0)


def _walk(data: memoryview, message: str, depth: int) -> bool:
    if depth > MAX_DEPTH:
        raise NotOnnx("nested too deeply")
    children = _FIELDS.get(message, {})
    for number, value in _fields(data):
        if message == "tensor":
            if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0):
                return True
        elif number in children and isinstance(value, memoryview) and _walk(value, children[number], depth + 1):
            return True
    return False


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Field numbers with their values: a view for length-delimited ones, an int for the others."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise NotOnnx("unknown wire type")
        if length > end - at:
            raise NotOnnx("truncated")
        yield tag >> 3, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise NotOnnx("truncated number")
