"""Tell whether an object of S3 is missing, or whether it must not be read."""

from typing import Any

from botocore.exceptions import ClientError

MISSING = ("NoSuchKey", "404")
_DENIED = ("AccessDenied", "403")


def is_missing(s3: Any, bucket: str, key: str, error: ClientError) -> bool:
    """Return whether an error of reading an object means that there is none.

    S3 answers 403 for a missing object if the caller may not list the bucket, and AWS does not document whether a
    permission with a condition on the prefix is enough. Listing this one key shows which of the two it is.

    Raises:
        ClientError: The caller must not list the key either.
    """
    code = error.response["Error"]["Code"]
    return code in MISSING or (code in _DENIED and not _is_listed(s3, bucket, key))


def _is_listed(s3: Any, bucket: str, key: str) -> bool:
    listing = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    return any(entry["Key"] == key for entry in listing.get("Contents", []))
