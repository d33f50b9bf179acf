"""The files of pushes in the artifact bucket: uploaded below `pushes/`, and copied to where MLflow has them."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from mlops.aws.signed_addresses import Upload, signing_s3, upload

SIGNED_SECONDS = 3600
_PARALLEL_COPIES = 16


class PushedFiles:
    """The files of pushes in one bucket. A lifecycle rule removes what was uploaded after some days."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self._s3 = signing_s3(max_pool_connections=_PARALLEL_COPIES)

    @classmethod
    def from_environment(cls) -> "PushedFiles":
        return _of_bucket(os.environ["ARTIFACT_BUCKET"])

    def missing(self, folder: str, contents: dict[str, int]) -> list[str]:
        """Return the hashes of the contents that are not below a folder, or have another size there."""
        prefix = _key(folder, "")
        pages: Any = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        found = {
            entry["Key"].removeprefix(prefix): entry["Size"] for page in pages for entry in page.get("Contents", [])
        }
        return sorted(sha256 for sha256, size in contents.items() if found.get(sha256) != size)

    def upload(self, folder: str, sha256: str, size: int) -> Upload:
        """Return where to put a content. S3 accepts only content with this hash and this size."""
        return upload(self._s3, self.bucket, _key(folder, sha256), sha256, size, SIGNED_SECONDS)

    def copy(self, folder: str, files: Iterable[tuple[str, str]]) -> None:
        """Copy contents to where they belong.

        Args:
            folder: The folder that they were uploaded to.
            files: The hash of each content, and the key that it gets.
        """

        def copy_one(file: tuple[str, str]) -> None:
            sha256, key = file
            source = {"Bucket": self.bucket, "Key": _key(folder, sha256)}
            self._s3.copy_object(Bucket=self.bucket, Key=key, CopySource=source)

        with ThreadPoolExecutor(_PARALLEL_COPIES) as pool:
            list(pool.map(copy_one, files))


def _key(folder: str, sha256: str) -> str:
    return f"pushes/{folder}/{sha256}"


@cache
def _of_bucket(bucket: str) -> PushedFiles:
    return PushedFiles(bucket)
