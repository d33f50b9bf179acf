"""An ONNX file before it is loaded: on the disk, and checked for tensors in other files and for control flow.

It reads the file's protobuf fields, because the onnx package is too large for the inference layer. Field numbers are
from https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

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
FOLDER = "/tmp"
WHOLE_BYTES = 16 << 20
"""Up to this size a file is checked in memory."""
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


class ModelFile:
    """A model's file on the disk of this environment, hashed as it is written.

    onnxruntime loads it by its path; bytes it would hold three times. It has no name in its folder, so it goes with
    this object or with the process, however that ends.
    """

    def __init__(self, data: bytes = b"") -> None:
        self._file = _unnamed()
        self.clear()
        self.write(data)

    def clear(self) -> None:
        """Drop what was written."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self.size = 0
        """Bytes written."""

    def write(self, piece: bytes) -> None:
        """Append to the file."""
        self._file.write(piece)
        self._digest.update(piece)
        self.size += len(piece)

    def flush(self) -> None:
        """Let others who open the file see all that was written."""
        self._file.flush()

    @property
    def sha256(self) -> str:
        """The hash of what was written."""
        return self._digest.hexdigest()

    @property
    def descriptor(self) -> int:
        """What a child process inherits it by."""
        return self._file.fileno()

    @property
    def path(self) -> str:
        """A path by which this process, and a child that has inherited it, can open it."""
        self.flush()
        return f"/dev/fd/{self.descriptor}"

    def view(self) -> memoryview:
        """Return what was written. Of a large file only those bytes are read into memory that are looked at."""
        if self.size <= WHOLE_BYTES:
            with self.stream() as stream:
                return memoryview(stream.read())
        import mmap  # only for large models: predict starts without it

        self.flush()
        return memoryview(mmap.mmap(self.descriptor, 0, access=mmap.ACCESS_READ))

    def stream(self) -> IO[bytes]:
        """Open it for reading, from the start."""
        return open(self.path, "rb")


class InheritedFile(ModelFile):
    """A file that the parent process has written and hashed."""

    def __init__(self, descriptor: int, size: int, sha256: str) -> None:
        self._file = open(descriptor, "rb")  # noqa: SIM115  # it is open as long as this object
        self.size, self._stated = size, sha256

    @property
    def sha256(self) -> str:
        return self._stated


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


def _unnamed() -> IO[bytes]:
    path = f"{FOLDER}/model-{os.getpid()}-{os.urandom(8).hex()}"
    file = open(path, "w+b")  # noqa: SIM115  # it is open as long as its owner
    os.unlink(path)
    return file
