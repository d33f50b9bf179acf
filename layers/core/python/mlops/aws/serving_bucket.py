"""Which versions serve: the serving manifests, read only (promotion is their writer)."""

import os
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

from mlops.domain.errors import DependencyUnavailable, NoModelInStage
from mlops.domain.manifest import SERVING_PREFIX, Manifest, ManifestError, manifest_key


class ServedModels:
    """Reads `serving/<model>/<Stage>.json` in the bucket `ARTIFACT_BUCKET`."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = boto3.client("s3")

    @classmethod
    def from_environment(cls) -> "ServedModels":
        return _of_bucket(os.environ["ARTIFACT_BUCKET"])

    def manifest(self, model_name: str, stage: str = "Production") -> Manifest:
        """What serves the stage.

        Raises:
            NoModelInStage: nothing does.
            DependencyUnavailable: its manifest cannot be read.
        """
        try:
            found = self.find(model_name, stage)
        except ManifestError as error:
            raise DependencyUnavailable(str(error), retry_after=30) from error
        if found is None:
            raise NoModelInStage(f"No version of {model_name!r} is in {stage}; POST /models/transition moves one there")
        return found

    def find(self, model_name: str, stage: str = "Production") -> Manifest | None:
        """None when nothing serves the stage.

        Raises:
            ManifestError: something does, but its manifest cannot be read. The message names both.
        """
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=manifest_key(model_name, stage))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise
        try:
            return Manifest.from_json(answer["Body"].read())
        except ManifestError as error:
            raise ManifestError(f"The manifest of {model_name!r} in {stage} cannot be read: {error}") from error

    def holds(self, model_name: str, stage: str) -> bool:
        """Whether something serves the stage, its manifest readable or not."""
        try:
            return self.find(model_name, stage) is not None
        except ManifestError:
            return True

    def written(self) -> list[tuple[str, str]]:
        """(model, stage) of every manifest that there is."""
        pages: Any = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=SERVING_PREFIX)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        paths = [key.removeprefix(SERVING_PREFIX).removesuffix(".json").split("/") for key in keys if _is_manifest(key)]
        return [(model_name, stage) for model_name, stage in paths]

    def names(self) -> list[str]:
        """Models that serve, or once served, in any stage."""
        pages: Any = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=SERVING_PREFIX, Delimiter="/"
        )
        folders = [folder["Prefix"] for page in pages for folder in page.get("CommonPrefixes", [])]
        return sorted(folder.removeprefix(SERVING_PREFIX).rstrip("/") for folder in folders)


def _is_manifest(key: str) -> bool:
    return key.endswith(".json") and key.removeprefix(SERVING_PREFIX).count("/") == 1


@cache
def _of_bucket(bucket: str) -> ServedModels:
    return ServedModels(bucket)
