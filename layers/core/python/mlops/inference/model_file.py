"""A model's file on the disk of this environment, which onnxruntime loads by its path: bytes it would hold thrice."""

import hashlib
import mmap
import os
from functools import cached_property
from typing import IO

FOLDER = "/tmp"


class ModelFile:
    """A file that is hashed as it is written.

    It has no name in its folder, so it goes with this object or with the process, however that ends.
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

    @cached_property
    def view(self) -> memoryview:
        """The written bytes, of which only those that are looked at are read into memory."""
        self.flush()
        return memoryview(mmap.mmap(self.descriptor, 0, access=mmap.ACCESS_READ) if self.size else b"")

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


def _unnamed() -> IO[bytes]:
    path = f"{FOLDER}/model-{os.getpid()}-{os.urandom(8).hex()}"
    file = open(path, "w+b")  # noqa: SIM115  # it is open as long as its owner
    os.unlink(path)
    return file
