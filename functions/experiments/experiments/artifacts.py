"""The files of a run, listed from the bucket."""

import os
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3

from mlops.api.schemas.experiments import Artifact

MAX_FILES = 1000


class Artifacts:
    """Lists the files of runs in the bucket `ARTIFACT_BUCKET`. Files stored elsewhere are left out."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = boto3.client("s3")

    @classmethod
    def from_environment(cls) -> "Artifacts":
        return _of_bucket(os.environ["ARTIFACT_BUCKET"])

    def files(self, addresses: dict[str, str | None]) -> list[Artifact]:
        """Return the files below `s3://` addresses, at most 1,000 of each.

        Args:
            addresses: Each address by the prefix that its files' paths get.
        """
        artifacts = []
        for prefix, uri in addresses.items():
            address = urlsplit(uri or "")
            if address.scheme != "s3" or address.netloc != self._bucket:
                continue
            folder = address.path.strip("/") + "/"
            answer: dict[str, Any] = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=folder, MaxKeys=MAX_FILES)
            artifacts += [
                Artifact(path=prefix + item["Key"].removeprefix(folder), size=item["Size"])
                for item in answer.get("Contents", [])
            ]
        return artifacts


@cache
def _of_bucket(bucket: str) -> Artifacts:
    return Artifacts(bucket)
