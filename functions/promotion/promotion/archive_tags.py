"""Tag archived files, so that the bucket's lifecycle rule moves them to cheaper storage, which still answers at once.

A rollback removes the tag and does not have to wait.
"""

import os
from functools import cache

import boto3

TAG = "mlops-stage"
ARCHIVED = "Archived"
"""Key and value as the lifecycle rule `archived` in template.yaml has them."""


class ArchiveTags:
    """Tag objects of the bucket `ARTIFACT_BUCKET`. Other tags of the objects are kept."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = boto3.client("s3")

    @classmethod
    def from_environment(cls) -> "ArchiveTags":
        return _tags_of(os.environ["ARTIFACT_BUCKET"])

    def add(self, prefixes: list[str]) -> None:
        """Tag all objects below the prefixes as archived. Idempotent."""
        self._tag(prefixes, {TAG: ARCHIVED})

    def remove(self, prefixes: list[str]) -> None:
        """Remove the tag from all objects below the prefixes. Idempotent."""
        self._tag(prefixes, {})

    def _tag(self, prefixes: list[str], wanted: dict[str, str]) -> None:
        for key in self._keys(prefixes):
            present = self._s3.get_object_tagging(Bucket=self._bucket, Key=key)["TagSet"]
            before = {tag["Key"]: tag["Value"] for tag in present}
            after = {name: value for name, value in before.items() if name != TAG} | wanted
            if after != before:
                tags = [{"Key": name, "Value": value} for name, value in after.items()]
                self._s3.put_object_tagging(Bucket=self._bucket, Key=key, Tagging={"TagSet": tags})

    def _keys(self, prefixes: list[str]) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2")
        return [
            item["Key"]
            for prefix in prefixes
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix)
            for item in page.get("Contents", [])
        ]


@cache
def _tags_of(bucket: str) -> ArchiveTags:
    return ArchiveTags(bucket)
