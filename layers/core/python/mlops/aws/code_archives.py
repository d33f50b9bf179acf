"""Archives of people's own code in the artifact bucket, by their hash: `code/<sha256>.tar.gz`."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from mlops.domain.code_run import archive_key

UPLOAD_SECONDS = 900
_MISSING = ("NoSuchKey", "404")


@dataclass(frozen=True)
class Upload:
    """Where a caller puts an archive: a PUT to `url` with these `headers`, which are part of its signature."""

    url: str
    headers: Mapping[str, str]


class CodeArchives:
    """The archives in one bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        # Version 4 signs headers: the address of an older form would allow any content. And `virtual` names the host of
        # the bucket's region: a signature does not survive a redirect to it.
        config = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
        self._s3 = boto3.client("s3", config=config)

    @classmethod
    def of_bucket(cls, bucket: str) -> "CodeArchives":
        return _of_bucket(bucket)

    def size(self, digest: str) -> int | None:
        """Return the size of an archive in bytes; None if it was not uploaded."""
        try:
            size: int = self._s3.head_object(Bucket=self._bucket, Key=archive_key(digest))["ContentLength"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
        return size

    def upload(self, digest: str, size: int) -> Upload:
        """Return where to put an archive. S3 accepts only content with this hash and this size."""
        checksum = base64.b64encode(bytes.fromhex(digest)).decode()
        url = self._s3.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._bucket,
                "Key": archive_key(digest),
                "ContentLength": size,
                "ChecksumSHA256": checksum,
            },
            ExpiresIn=UPLOAD_SECONDS,
        )
        return Upload(url, {"content-length": str(size), "x-amz-checksum-sha256": checksum})


@cache
def _of_bucket(bucket: str) -> CodeArchives:
    return CodeArchives(bucket)
