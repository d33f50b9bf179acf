"""Reads the serving manifests, which say what serves. Promotion is their only writer."""

import os
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

from mlops.domain.errors import DependencyUnavailable, NoModelInStage
from mlops.domain.manifest import SERVING_PREFIX, Manifest, ManifestError, manifest_key

MISSING = ("NoSuchKey", "404")
DENIED = ("AccessDenied", "403")


class UnreadableManifest(ManifestError):
    """There is a manifest, and this code cannot read it. The message is the reason.

    Attributes:
        etag: Identifies the manifest's bytes.
        written: When it was written.
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


def read_manifest(s3: Any, bucket: str, model_name: str, stage: str) -> StoredManifest | None:
    """Read the manifest of a model and a stage; None if no version of the model is in the stage.

    Raises:
        UnreadableManifest: there is a manifest, and this code cannot read it.
        ClientError, BotoCoreError: S3 does not answer, or refuses.
    """
    key = manifest_key(model_name, stage)
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        # S3 says 403 of a missing object to those that may not list the bucket, and AWS does not say whether a
        # permission with a condition on the prefix is enough. A list of this one key tells the two apart.
        if code in MISSING or (code in DENIED and not _is_listed(s3, bucket, key)):
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
        self._s3 = boto3.client("s3")

    @classmethod
    def from_environment(cls) -> "ServedModels":
        return _of_bucket(os.environ["ARTIFACT_BUCKET"])

    def manifest(self, model_name: str, stage: str = "Production") -> Manifest:
        """Return the manifest of the version that serves the stage.

        Raises:
            NoModelInStage: no version does.
            DependencyUnavailable: its manifest cannot be read.
        """
        try:
            manifest = self.find(model_name, stage)
        except UnreadableManifest as error:
            raise DependencyUnavailable(
                f"The manifest of the model {model_name!r} in {stage} cannot be read: {error}", retry_after=30
            ) from error
        if manifest is None:
            raise NoModelInStage(model_name, stage)
        return manifest

    def find(self, model_name: str, stage: str = "Production") -> Manifest | None:
        """Return the manifest of the version that serves the stage; None if no version does.

        Raises:
            UnreadableManifest: there is a manifest, and this code cannot read it.
        """
        stored = read_manifest(self._s3, self._bucket, model_name, stage)
        return stored.manifest if stored else None

    def holds(self, model_name: str, stage: str) -> bool:
        """Whether the stage has a manifest, readable or not."""
        try:
            return self.find(model_name, stage) is not None
        except UnreadableManifest:
            return True

    def written(self) -> list[tuple[str, str]]:
        """List the manifests: (model, stage) of each."""
        pages: Any = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=SERVING_PREFIX)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        paths = [key.removeprefix(SERVING_PREFIX).removesuffix(".json").split("/") for key in keys if _is_manifest(key)]
        return [(model_name, stage) for model_name, stage in paths]

    def names(self) -> list[str]:
        """List the models that serve, or once served, in any stage."""
        pages: Any = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=SERVING_PREFIX, Delimiter="/"
        )
        folders = [folder["Prefix"] for page in pages for folder in page.get("CommonPrefixes", [])]
        return sorted(folder.removeprefix(SERVING_PREFIX).rstrip("/") for folder in folders)


def _is_listed(s3: Any, bucket: str, key: str) -> bool:
    listing = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    return any(entry["Key"] == key for entry in listing.get("Contents", []))


def _is_manifest(key: str) -> bool:
    return key.endswith(".json") and key.removeprefix(SERVING_PREFIX).count("/") == 1


@cache
def _of_bucket(bucket: str) -> ServedModels:
    return ServedModels(bucket)
