"""Archives of people's own code in the artifact bucket, by their hash: `code/<sha256>.tar.gz`."""

from functools import cache

from botocore.exceptions import ClientError

from mlops.aws.missing import is_missing
from mlops.aws.signed_addresses import Upload, signing_s3, upload
from mlops.domain.code_run import archive_key

UPLOAD_SECONDS = 900


class CodeArchives:
    """The archives in one bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = signing_s3()

    @classmethod
    def of_bucket(cls, bucket: str) -> "CodeArchives":
        return _of_bucket(bucket)

    def size(self, digest: str) -> int | None:
        """Return the size of an archive in bytes; None if it was not uploaded."""
        key = archive_key(digest)
        try:
            size: int = self._s3.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
        except ClientError as error:
            if is_missing(self._s3, self._bucket, key, error):
                return None
            raise
        return size

    def upload(self, digest: str, size: int) -> Upload:
        """Return where to put an archive. S3 accepts only content with this hash and this size."""
        return upload(self._s3, self._bucket, archive_key(digest), digest, size, UPLOAD_SECONDS)


@cache
def _of_bucket(bucket: str) -> CodeArchives:
    return CodeArchives(bucket)
