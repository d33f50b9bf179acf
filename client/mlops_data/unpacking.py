"""Unpack compressed files piece by piece, within a limit: a few hundred kilobytes can unpack to gigabytes.

The limit is 2 GiB or a quarter of the process's memory, but at least the size of the file.
"""

import gzip
import io
import zlib
from typing import cast

from mlops_data.errors import DataError
from mlops_data.memory import memory_limit

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
MAX_UNPACKED_BYTES = 2 * 1024**3
MEMORY_SHARE = 4


def limit(content: bytes) -> int:
    """Return the number of bytes to which `content` may unpack."""
    return max(len(content), min(MAX_UNPACKED_BYTES, memory_limit() // MEMORY_SHARE))


def too_large(name: str, most: int) -> DataError:
    """Return the error for a file that unpacks to more than `most` bytes."""
    return DataError(
        f"{name}: unpacks to more than {most:,} bytes, the limit of this job; "
        "split the data set, or give the job more memory"
    )


class UnpackedStream(io.RawIOBase):
    """The bytes of a gzip, zstd or plain file; `position` counts those that were read.

    Reading raises DataError if the packed file is damaged, or is larger than its limit.
    """

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__()
        self._form, self._source = _opened(content)
        self._name = name
        self._limit = limit(content)
        self.position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's buffer is private
        try:
            count = self._source.readinto(buffer)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(
                f"{self._name}: the {self._form} file is truncated or damaged ({error}); create or download it again"
            ) from error
        self.position += count
        if self.position > self._limit:
            raise too_large(self._name, self._limit)
        return count


def _opened(content: bytes) -> tuple[str, io.BufferedIOBase]:
    if content.startswith(GZIP_MAGIC):
        return "gzip", gzip.GzipFile(fileobj=io.BytesIO(content))
    if content.startswith(ZSTD_MAGIC):
        import pyarrow

        return "zstd", cast(io.BufferedIOBase, pyarrow.CompressedInputStream(pyarrow.BufferReader(content), "zstd"))
    return "plain", io.BytesIO(content)


def unpacked(name: str, content: bytes) -> bytes:
    """Return `content`, unpacked if it is compressed. Raises DataError if it is damaged or too large."""
    return UnpackedStream(name, content).readall()
