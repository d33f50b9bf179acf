"""Which versions serve: the serving manifests, read only (promotion is their writer)."""

import os
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

from mlops.errors import NoModelInStage
from mlops.manifest import SERVING_PREFIX, Manifest, ManifestError, manifest_key


class ServedModels:
    """Reads `serving/<model>/<Stage>.json` in the bucket `ARTIFACT_BUCKET`."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = boto3.client("s3")

    @classmethod
    def from_environment(cls) -> "ServedModels":
        return _of_bucket(os.environ["ARTIFACT_BUCKET"])

    def manifest(self, model_name: str, stage: str = "Production") -> Manifest:
        """Raises NoModelInStage."""
        found = self.find(model_name, stage)
        if found is None:
            raise NoModelInStage(f"No version of {model_name!r} is in {stage}; POST /models/transition moves one there")
        return found

    def find(self, model_name: str, stage: str = "Production") -> Manifest | None:
        """None when nothing serves the stage, or its manifest is of a kind this code does not know."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=manifest_key(model_name, stage))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise
        try:
            return Manifest.from_json(answer["Body"].read())
        except ManifestError:
            return None

    def names(self) -> list[str]:
        """Models that serve, or once served, in any stage."""
        pages: Any = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=SERVING_PREFIX, Delimiter="/"
        )
        folders = [folder["Prefix"] for page in pages for folder in page.get("CommonPrefixes", [])]
        return sorted(folder.removeprefix(SERVING_PREFIX).rstrip("/") for folder in folders)


@cache
def _of_bucket(bucket: str) -> ServedModels:
    return ServedModels(bucket)
