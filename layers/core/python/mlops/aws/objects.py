"""Objects in S3 as files that can be read from any place, in the version that was there when a job was asked for."""

import io
import time
from typing import Any

from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from mlops.domain.scoring_plan import InputFile
from mlops_contract.table_files import FileRefused

ATTEMPTS = 5
_BROKEN = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
"""The connection ended before the whole answer was there: botocore does not repeat this."""
_REASONS = {
    "PreconditionFailed": "was changed after the job had been asked for; ask again",
    "NoSuchKey": "was deleted after the job had been asked for; put it back, and ask again",
    "NoSuchVersion": "was deleted after the job had been asked for; put it back, and ask again",
    "404": "was deleted after the job had been asked for; put it back, and ask again",
    "AccessDenied": "the job has no right to read it; an operator can add the bucket to DatasetBuckets",
    "403": "the job has no right to read it; an operator can add the bucket to DatasetBuckets",
}


class PinnedObject(io.RawIOBase):
    """An object as it was when a job was asked for. Each read is a request, so small reads need a buffer around it."""

    def __init__(self, s3: Any, file: InputFile) -> None:
        self._s3, self._file, self._position = s3, file, 0
        self._version = {"VersionId": file.version_id} if file.version_id else {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, as far as the object goes. Raises FileRefused if it is not there any more as it was."""
        end = min(self._position + len(buffer), self._file.size)
        if end <= self._position:
            return 0
        data = self._read(f"bytes={self._position}-{end - 1}")
        if len(data) != end - self._position:
            raise EOFError(f"{self._file.address}: S3 sent {len(data)} bytes instead of {end - self._position}")
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _read(self, span: str) -> bytes:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._s3.get_object(
                    Bucket=self._file.bucket, Key=self._file.key, IfMatch=self._file.etag, Range=span, **self._version
                )
                data: bytes = answer["Body"].read()
                return data
            except ClientError as error:
                reason = _REASONS.get(error.response["Error"]["Code"])
                if reason is None:
                    raise
                raise FileRefused(f"{self._file.address}: {reason}") from error
            except _BROKEN:
                if attempt == ATTEMPTS:
                    raise
                time.sleep(2**attempt / 10)
        raise AssertionError("the last attempt returns or raises")
