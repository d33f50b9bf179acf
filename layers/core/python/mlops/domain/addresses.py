"""Addresses of objects in S3, `s3://bucket/key`."""

from typing import Annotated

from pydantic import AfterValidator, Field

OBJECT_ADDRESS = r"^s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]/[^\x00-\x1f\x7f]{0,900}$"


def bucket_of(address: str) -> str:
    """Return the bucket in an s3:// address."""
    return address.removeprefix("s3://").partition("/")[0]


def key_of(address: str) -> str:
    """Return the key in an s3:// address."""
    return address.removeprefix("s3://").partition("/")[2]


def _with_a_key(address: str) -> str:
    if not key_of(address):
        raise ValueError("must name a file or a folder, not a whole bucket")
    return address


InputAddress = Annotated[str, Field(pattern=OBJECT_ADDRESS), AfterValidator(_with_a_key)]
"""The address of a file, or of a folder, which ends in `/`."""
