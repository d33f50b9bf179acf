"""The files of a run, as they lie in the bucket."""

import os
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3

from mlops.api.schemas.experiments import Artifact

MOST = 1000


class Artifacts:
    """Lists the bucket `ARTIFACT_BUCKET`; what a run has stored elsewhere is not ours to list."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = boto3.client("s3")

    @classmethod
    def from_environment(cls) -> "Artifacts":
        return _of_bucket(os.environ["ARTIFACT_BUCKET"])

    def below(self, places: dict[str, str | None]) -> list[Artifact]:
        """Files under the `s3://` addresses, at most 1,000 of each; `places` gives each address the prefix of its
        files' paths."""
        found = []
        for prefix, uri in places.items():
            address = urlsplit(uri or "")
            if address.scheme != "s3" or address.netloc != self._bucket:
                continue
            folder = address.path.strip("/") + "/"
            answer: dict[str, Any] = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=folder, MaxKeys=MOST)
            found += [
                Artifact(path=prefix + item["Key"].removeprefix(folder), size=item["Size"])
                for item in answer.get("Contents", [])
            ]
        return found


@cache
def _of_bucket(bucket: str) -> Artifacts:
    return Artifacts(bucket)
