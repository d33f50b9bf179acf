"""Check an ONNX file before it is loaded: for tensors in other files, and for operators of control flow.

It reads the file's protobuf fields, because the onnx package is too large for the inference layer. Field numbers are
from https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from collections.abc import Iterator
from dataclasses import dataclass

# The fields of a message that lead to tensors or nodes.
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
_OPERATOR = 4  # of NodeProto
_LARGEST_TAG = 2**32 - 1
MAX_DEPTH = 64
CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})
"""Operators whose time depends on the values of the input."""


class NotOnnx(ValueError):
    """The bytes are not a protobuf message."""


@dataclass(frozen=True)
class Contents:
    """What a file contains.

    Attributes:
        external_data: Whether a tensor has its values in another file, which onnxruntime would open.
        control_flow: The operators of CONTROL_FLOW that the file uses.
    """

    external_data: bool
    control_flow: frozenset[str]


def contents(data: bytes | memoryview) -> Contents:
    """Return what a file contains.

    Raises:
        NotOnnx: The bytes cannot be parsed, or are nested deeper than any real model.
    """
    found: set[str] = set()
    external_data = _walk(memoryview(data), "model", 0, found)
    return Contents(external_data, frozenset(found))


def _walk(data: memoryview, message: str, depth: int, control_flow: set[str]) -> bool:
    """Return whether a tensor in the message is external, and add its operators to `control_flow`."""
    if depth > MAX_DEPTH:
        raise NotOnnx("nested too deeply")
    children = _FIELDS.get(message, {})
    external = False
    for number, value in _fields(data):
        if message == "tensor":
            external |= number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
        elif not isinstance(value, memoryview):
            continue
        elif number in children:
            external |= _walk(value, children[number], depth + 1, control_flow)
        elif message == "node" and number == _OPERATOR:
            operator = bytes(value[:16]).decode(errors="replace")
            if operator in CONTROL_FLOW:
                control_flow.add(operator)
    return external


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield field numbers with their values: a view for length-delimited ones, an int for the others."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        if tag > _LARGEST_TAG:
            # Protobuf's readers truncate such a tag, so they would see another field than this function.
            raise NotOnnx("a field's tag is longer than 32 bits")
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
