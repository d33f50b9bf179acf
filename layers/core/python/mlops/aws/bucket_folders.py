"""List folders of the bucket, and remove them with all versions of their objects."""

import os
from collections.abc import Iterable
from functools import cache
from typing import Any

import boto3

from mlops.domain.errors import DependencyUnavailable


class BucketFolders:
    """Adapter of the bucket `ARTIFACT_BUCKET`."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self._s3 = boto3.client("s3")

    @classmethod
    def from_environment(cls) -> "BucketFolders":
        return _folders_of(os.environ["ARTIFACT_BUCKET"])

    def within(self, prefix: str) -> list[str]:
        """Return the folders directly within a folder, each with the slash at its end.

        A folder whose objects were all deleted, and that only has old versions of them, is not among them.
        """
        pages: Any = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, Delimiter="/"
        )
        return [folder["Prefix"] for page in pages for folder in page.get("CommonPrefixes", [])]

    def remove(self, prefixes: Iterable[str]) -> int:
        """Remove all versions of all objects whose keys begin with the prefixes. Idempotent.

        Returns:
            How many bytes they had.

        Raises:
            DependencyUnavailable: S3 did not remove some of them.
        """
        return sum(self._remove(prefix) for prefix in prefixes)

    def remove_file(self, key: str) -> int:
        """Remove all versions of one object, and return how many bytes they had. The errors are those of `remove`."""
        return self._remove(key, only=key)

    def _remove(self, prefix: str, only: str | None = None) -> int:
        assert only or prefix.count("/") >= 2, f"{prefix!r} is too much to remove"
        freed = 0
        pages: Any = self._s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            listed = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            found = [each for each in listed if only is None or each["Key"] == only]
            if not found:
                continue
            # A page has 1,000 of them, which is as many as a request may name.
            objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
            answer = self._s3.delete_objects(Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True})
            if errors := answer.get("Errors"):
                raise DependencyUnavailable(f"S3 did not remove {errors[0]['Key']}: {errors[0].get('Code')}")
            freed += sum(each.get("Size", 0) for each in found)
        return freed


@cache
def _folders_of(bucket: str) -> BucketFolders:
    return BucketFolders(bucket)
