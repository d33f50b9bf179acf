"""Text files as streams of bytes."""

import io
from typing import Any

UTF8_MARK = b"\xef\xbb\xbf"


def buffered(file: Any, size: int) -> io.BufferedReader:
    """Return a buffered stream of any object with `read`: what Arrow unpacks has no buffer of its own."""
    return io.BufferedReader(_Readable(file), size)


class _Readable(io.RawIOBase):
    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
