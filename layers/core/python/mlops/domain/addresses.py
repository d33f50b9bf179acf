"""Addresses of objects in S3, `s3://bucket/key`."""

OBJECT_ADDRESS = r"^s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]/[^\x00-\x1f\x7f]{0,900}$"


def bucket_of(address: str) -> str:
    """Return the bucket in an s3:// address."""
    return address.removeprefix("s3://").partition("/")[0]


def key_of(address: str) -> str:
    """Return the key in an s3:// address."""
    return address.removeprefix("s3://").partition("/")[2]
