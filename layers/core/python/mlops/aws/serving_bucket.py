"""Which versions serve: the serving manifests, read only (promotion is their writer)."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mlops.domain.errors import DependencyUnavailable, NoModelInStage
from mlops.domain.manifest import SERVING_PREFIX, Manifest, ManifestError, manifest_key
from mlops.domain.stages import ALIASES, Stage

PARALLEL_READS = 16
_MISSING, _UNCHANGED = ("NoSuchKey", "404"), ("304", "NotModified")


@dataclass(frozen=True)
class ServedStage:
    """A stage of a model that something serves: its manifest, or the error because of which it cannot be read."""

    model_name: str
    stage: Stage
    manifest: Manifest | None = None
    error: ManifestError | ClientError | BotoCoreError | None = None


class ServedModels:
    """Reads `serving/<model>/<Stage>.json` in the bucket `ARTIFACT_BUCKET`."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = boto3.client("s3", config=Config(max_pool_connections=PARALLEL_READS))
        self._read: dict[tuple[str, Stage], tuple[str, ServedStage]] = {}

    @classmethod
    def from_environment(cls) -> "ServedModels":
        return _of_bucket(os.environ["ARTIFACT_BUCKET"])

    def manifest(self, model_name: str, stage: str = "Production") -> Manifest:
        """Return the manifest of the version that serves the stage.

        Raises:
            NoModelInStage: No version does.
            DependencyUnavailable: The manifest cannot be read.
        """
        try:
            manifest = self.find(model_name, stage)
        except ManifestError as error:
            raise DependencyUnavailable(str(error), retry_after=30) from error
        if manifest is None:
            raise NoModelInStage(f"No version of {model_name!r} is in {stage}; POST /models/transition moves one there")
        return manifest

    def find(self, model_name: str, stage: str = "Production") -> Manifest | None:
        """Return the manifest of the version that serves the stage; None if no version does.

        Raises:
            ManifestError: A version does, but its manifest cannot be read. The message names model and stage.
        """
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=manifest_key(model_name, stage))
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
        return _manifest(model_name, stage, answer["Body"].read())

    def read_all(self, stages: Iterable[tuple[str, Stage]]) -> list[ServedStage]:
        """Read the manifests of many stages, PARALLEL_READS at a time; stages that nothing serves are left out.

        A manifest that has not changed since the last call is not transferred again. One that cannot be read keeps no
        other from being read: its `error` says why.
        """
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            served = pool.map(lambda key: self._read_stage(*key), stages)
        return [stage for stage in served if stage is not None]

    def _read_stage(self, model_name: str, stage: Stage) -> ServedStage | None:
        etag, last = self._read.get((model_name, stage), (None, None))
        condition = {"IfNoneMatch": etag} if etag else {}
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=manifest_key(model_name, stage), **condition)
            body = answer["Body"].read()
        except (ClientError, BotoCoreError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else None
            if code in _UNCHANGED:
                return last
            self._read.pop((model_name, stage), None)
            return None if code in _MISSING else ServedStage(model_name, stage, error=error)
        try:
            served = ServedStage(model_name, stage, _manifest(model_name, stage, body))
        except ManifestError as error:
            served = ServedStage(model_name, stage, error=error)
        self._read[model_name, stage] = (answer["ETag"], served)
        return served

    def holds(self, model_name: str, stage: str) -> bool:
        """Whether a version serves the stage, even if its manifest cannot be read."""
        try:
            return self.find(model_name, stage) is not None
        except ManifestError:
            return True

    def written(self) -> list[tuple[str, Stage]]:
        """Return the model and the stage of every manifest that there is."""
        pages: Any = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=SERVING_PREFIX)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        paths = [key.removeprefix(SERVING_PREFIX).removesuffix(".json").split("/") for key in keys if _is_manifest(key)]
        return [(model_name, Stage(stage)) for model_name, stage in paths if stage in ALIASES]

    def names(self) -> list[str]:
        """Return the models that serve, or once served, in any stage."""
        pages: Any = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=SERVING_PREFIX, Delimiter="/"
        )
        folders = [folder["Prefix"] for page in pages for folder in page.get("CommonPrefixes", [])]
        return sorted(folder.removeprefix(SERVING_PREFIX).rstrip("/") for folder in folders)


def _manifest(model_name: str, stage: str, body: bytes) -> Manifest:
    try:
        return Manifest.from_json(body)
    except ManifestError as error:
        raise ManifestError(f"The manifest of {model_name!r} in {stage} cannot be read: {error}") from error


def _is_manifest(key: str) -> bool:
    return key.endswith(".json") and key.removeprefix(SERVING_PREFIX).count("/") == 1


@cache
def _of_bucket(bucket: str) -> ServedModels:
    return ServedModels(bucket)
