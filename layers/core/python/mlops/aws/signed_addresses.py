"""Addresses that let whoever has them put or get one object in S3 for a while."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config


@dataclass(frozen=True)
class Upload:
    """Where a caller puts an object: a PUT to `url` with these `headers`, which are part of its signature."""

    url: str
    headers: Mapping[str, str]


def signing_s3(**options: Any) -> Any:
    """Return a client of S3 whose addresses hold. `options` are further ones of its configuration."""
    # Version 4 signs headers: the address of an older form would allow any content. And `virtual` names the host of the
    # bucket's region: a signature does not survive a redirect to it.
    config = Config(signature_version="s3v4", s3={"addressing_style": "virtual"}, **options)
    return boto3.client("s3", config=config)


def upload(s3: Any, bucket: str, key: str, sha256: str, size: int, seconds: int) -> Upload:
    """Return where to put an object. S3 accepts only content with this hash and this size.

    Args:
        s3: A client of `signing_s3`.
        bucket: The bucket.
        key: The object's key.
        sha256: The hash in hexadecimal digits.
        size: In bytes.
        seconds: How long the address holds.
    """
    checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
    target = {"Bucket": bucket, "Key": key, "ContentLength": size, "ChecksumSHA256": checksum}
    url: str = s3.generate_presigned_url("put_object", Params=target, ExpiresIn=seconds)
    return Upload(url, {"content-length": str(size), "x-amz-checksum-sha256": checksum})
