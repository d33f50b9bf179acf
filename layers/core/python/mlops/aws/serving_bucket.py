"""Read the serving manifests, which say which version serves a stage. Only promotion writes them."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mlops.aws.missing import is_missing
from mlops.domain.errors import DependencyUnavailable, NoModelInStage
from mlops.domain.manifest import SERVING_PREFIX, Manifest, ManifestError, manifest_key
from mlops.domain.stages import ALIASES, Stage

PARALLEL_READS = 16
_UNCHANGED = ("304", "NotModified")


class UnreadableManifest(ManifestError):
    """There is a manifest that this code cannot read. The message is the reason.

    Attributes:
        etag: Identifies the manifest's bytes.
        written: The time when it was written.
    """

    def __init__(self, reason: str, etag: str, written: datetime) -> None:
        super().__init__(reason)
        self.etag, self.written = etag, written


@dataclass(frozen=True)
class StoredManifest:
    """A manifest, with its bytes as they are in the bucket and the time when they were written."""

    manifest: Manifest
    data: bytes
    etag: str
    written: datetime


@dataclass(frozen=True)
class ServedStage:
    """A stage with a manifest: the manifest, or the error if it cannot be read."""

    model_name: str
    stage: Stage
    manifest: Manifest | None = None
    error: ManifestError | ClientError | BotoCoreError | None = None


def read_manifest(
    s3: Any, bucket: str, model_name: str, stage: str, unless: str | None = None
) -> StoredManifest | None:
    """Read the manifest of a model and a stage; None if no version of the model is in the stage.

    Args:
        s3: The client.
        bucket: The artifact bucket.
        model_name: The model.
        stage: `Production` or `Staging`.
        unless: An ETag. A manifest with this ETag is not transferred: S3 answers with an error of status 304.

    Raises:
        UnreadableManifest: There is a manifest that this code cannot read.
        ClientError, BotoCoreError: S3 does not answer, or refuses; or the manifest has not changed.
    """
    key = manifest_key(model_name, stage)
    condition = {"IfNoneMatch": unless} if unless else {}
    try:
        answer = s3.get_object(Bucket=bucket, Key=key, **condition)
    except ClientError as error:
        if is_missing(s3, bucket, key, error):
            return None
        raise
    data, etag, written = answer["Body"].read(), answer["ETag"], answer["LastModified"]
    try:
        return StoredManifest(Manifest.from_json(data), data, etag, written)
    except ManifestError as error:
        raise UnreadableManifest(str(error), etag, written) from error


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
            NoModelInStage: No version serves it.
            DependencyUnavailable: The manifest cannot be read.
        """
        try:
            manifest = self.find(model_name, stage)
        except UnreadableManifest as error:
            raise DependencyUnavailable(_unreadable(model_name, stage, error), retry_after=30) from error
        if manifest is None:
            raise NoModelInStage(model_name, stage)
        return manifest

    def find(self, model_name: str, stage: str = "Production") -> Manifest | None:
        """Return the manifest of the version that serves the stage; None if no version does.

        Raises:
            UnreadableManifest: There is a manifest that this code cannot read.
        """
        stored = read_manifest(self._s3, self._bucket, model_name, stage)
        return stored.manifest if stored else None

    def read_all(self, stages: Iterable[tuple[str, Stage]]) -> list[ServedStage]:
        """Read the manifests of many stages, PARALLEL_READS at a time. Stages without one are left out.

        A manifest that has not changed since the last call is not transferred again. If one cannot be read, its `error`
        says why, and the others are still read.
        """
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            served = pool.map(lambda key: self._read_stage(*key), stages)
        return [stage for stage in served if stage is not None]

    def _read_stage(self, model_name: str, stage: Stage) -> ServedStage | None:
        etag, last = self._read.get((model_name, stage), (None, None))
        try:
            stored = read_manifest(self._s3, self._bucket, model_name, stage, unless=etag)
        except UnreadableManifest as unreadable:
            error = ManifestError(_unreadable(model_name, stage, unreadable))
            etag, served = unreadable.etag, ServedStage(model_name, stage, error=error)
        except (ClientError, BotoCoreError) as failure:
            if isinstance(failure, ClientError) and failure.response["Error"]["Code"] in _UNCHANGED:
                return last
            self._read.pop((model_name, stage), None)
            return ServedStage(model_name, stage, error=failure)
        else:
            if stored is None:
                self._read.pop((model_name, stage), None)
                return None
            etag, served = stored.etag, ServedStage(model_name, stage, stored.manifest)
        self._read[model_name, stage] = (etag, served)
        return served

    def holds(self, model_name: str, stage: str) -> bool:
        """Return whether the stage has a manifest, readable or not."""
        try:
            return self.find(model_name, stage) is not None
        except UnreadableManifest:
            return True

    def written(self) -> list[tuple[str, Stage]]:
        """List the model and stage of each manifest."""
        pages: Any = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=SERVING_PREFIX)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        paths = [key.removeprefix(SERVING_PREFIX).removesuffix(".json").split("/") for key in keys if _is_manifest(key)]
        return [(model_name, Stage(stage)) for model_name, stage in paths if stage in ALIASES]

    def names(self) -> list[str]:
        """List the models that serve or have served in any stage."""
        pages: Any = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=SERVING_PREFIX, Delimiter="/"
        )
        folders = [folder["Prefix"] for page in pages for folder in page.get("CommonPrefixes", [])]
        return sorted(folder.removeprefix(SERVING_PREFIX).rstrip("/") for folder in folders)


def _unreadable(model_name: str, stage: str, error: UnreadableManifest) -> str:
    return f"The manifest of the model {model_name!r} in {stage} cannot be read: {error}"


def _is_manifest(key: str) -> bool:
    return key.endswith(".json") and key.removeprefix(SERVING_PREFIX).count("/") == 1


@cache
def _of_bucket(bucket: str) -> ServedModels:
    return ServedModels(bucket)
