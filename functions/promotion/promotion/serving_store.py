"""`serving/` in the bucket: the files that predict reads. This module is their only writer."""

import hashlib
import os
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from aws_lambda_powertools import Logger

from mlops.aws.serving_bucket import StoredManifest, read_manifest
from mlops.aws.serving_bucket import UnreadableManifest as UnreadableManifest
from mlops.domain.errors import Conflict
from mlops.domain.examination import GATE_REVISION
from mlops.domain.manifest import (
    Manifest,
    manifest_key,
    model_key,
    with_cache_epoch,
    with_examination,
)
from mlops.domain.stages import Stage
from mlops.domain.timestamps import now

MODEL_FILE = "model.onnx"
_PIECE_BYTES = 1024 * 1024

logger = Logger(child=True)


class ModelFile:
    """An ONNX file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.sha256 = hashlib.sha256(data).hexdigest()


class ServingStore:
    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = boto3.client("s3")

    @classmethod
    def from_environment(cls) -> "ServingStore":
        return _store_of(os.environ["ARTIFACT_BUCKET"])

    def folder(self, artifact_uri: str) -> str | None:
        """The prefix of a version's files, or None if they are not among the platform's own artifacts."""
        place = urlsplit(artifact_uri)
        if place.scheme != "s3" or place.netloc != self._bucket or not place.path.startswith("/mlflow/"):
            return None
        return place.path.strip("/") + "/"

    def fetch(self, artifact_uri: str, max_bytes: int) -> ModelFile:
        """The ONNX file of a version. Any writer may register a source elsewhere, so its place is checked first.

        Raises:
            Conflict: the files lie outside the platform's bucket, there is no ONNX file, or it is over `max_bytes`.
        """
        answer = self._logged(artifact_uri)
        if answer["ContentLength"] > max_bytes:
            answer["Body"].close()
            raise Conflict(
                f"{MODEL_FILE} has {answer['ContentLength']} bytes; at most {max_bytes} may serve: register a smaller "
                "model, or raise MaxModelBytes"
            )
        return ModelFile(answer["Body"].read())

    def sha256_of(self, artifact_uri: str) -> str:
        """The hash of the ONNX file of a version, which is read piece by piece.

        Raises:
            Conflict: the files lie outside the platform's bucket, or there is no ONNX file.
        """
        digest = hashlib.sha256()
        for piece in self._logged(artifact_uri)["Body"].iter_chunks(_PIECE_BYTES):
            digest.update(piece)
        return digest.hexdigest()

    def published(self, model_name: str, sha256: str) -> ModelFile | None:
        """The file that `publish` put up under this hash, unless it is gone."""
        answer = self._read(model_key(model_name, sha256))
        return ModelFile(answer["Body"].read()) if answer else None

    def publish(self, model_name: str, model: ModelFile) -> None:
        """Put the file where predict looks; its name is its hash, so writing it twice changes nothing. An archived
        one is written anew, which brings it back from the cheaper storage."""
        self._write(model_key(model_name, model.sha256), model.data, "application/octet-stream")

    def manifest(self, model_name: str, stage: Stage) -> Manifest | None:
        """Read what predict serves in the stage; None if nothing.

        Raises:
            UnreadableManifest: there is a manifest, and this code cannot read it.
        """
        written = self._written(model_name, stage)
        return written.manifest if written else None

    def write_manifest(self, manifest: Manifest) -> None:
        """Tell predict what to serve; done again for the same transition, it leaves the manifest as it is. One that
        cannot be read is replaced."""
        key = manifest_key(manifest.model_name, manifest.stage)
        before: Manifest | None = None
        etag: str | None = None
        try:
            if (written := self._written(manifest.model_name, manifest.stage)) is not None:
                before, etag = written.manifest, written.etag
        except UnreadableManifest as unreadable:
            logger.warning("unreadable manifest replaced", key=key, reason=str(unreadable))
            etag = unreadable.etag
        if before is not None:
            if (before.transition_id, before.sha256) == (manifest.transition_id, manifest.sha256):
                return
            manifest = replace(manifest, cache_epoch=before.cache_epoch, cache_epoch_id=before.cache_epoch_id)
        self._swap(key, manifest.to_json(), etag)

    def raise_cache_epoch(self, model_name: str, stage: str, message_id: str) -> None:
        """Have every environment of predict load its model anew at its next refresh; once for the same message.

        A message is done with before the next of its model is delivered, so the last one's id is all there is to know.
        """
        key = manifest_key(model_name, stage)
        try:
            written = self._written(model_name, stage)
        except UnreadableManifest as unreadable:  # nobody loads a model from it, so there is nothing to load anew
            logger.warning("no cache epoch: manifest unreadable", key=key, reason=str(unreadable))
            return
        if written is not None and written.manifest.cache_epoch_id != message_id:
            raised = with_cache_epoch(written.data, written.manifest.cache_epoch + 1, message_id)
            self._swap(key, raised, written.etag)

    def note_examination(self, manifest: Manifest, refusal: str | None) -> None:
        """Have the manifest say that this gate has examined its file, and why it would refuse it, if it would; unless
        another manifest is in its place by now. predict keeps the session that it has."""
        written = self._written(manifest.model_name, manifest.stage)
        if written is not None and written.manifest == manifest:
            noted = with_examination(written.data, GATE_REVISION, refusal, now())
            self._swap(manifest_key(manifest.model_name, manifest.stage), noted, written.etag)

    def remove_manifest(self, model_name: str, stage: Stage, version: int) -> None:
        """No version serves the stage any more, unless another one has taken it since."""
        try:
            manifest = self.manifest(model_name, stage)
        except UnreadableManifest as unreadable:  # whose it is nobody can say; reconcile looks at what is left
            logger.warning("manifest left: unreadable", model=model_name, stage=stage, reason=str(unreadable))
            return
        if manifest is not None and manifest.model_version == version:
            self._s3.delete_object(Bucket=self._bucket, Key=manifest_key(model_name, stage))

    def remove_unreadable(self, model_name: str, stage: Stage) -> None:
        """Remove the manifest if it cannot be read: no version is in the stage, so none serves it."""
        try:
            self.manifest(model_name, stage)
        except UnreadableManifest as unreadable:
            logger.warning("unreadable manifest removed", model=model_name, stage=stage, reason=str(unreadable))
            self._s3.delete_object(Bucket=self._bucket, Key=manifest_key(model_name, stage))

    def _logged(self, artifact_uri: str) -> dict[str, Any]:
        """S3's answer with the ONNX file that MLflow has for a version. Raises Conflict."""
        folder = self.folder(artifact_uri)
        if folder is None:
            raise Conflict("The version's files are not in the platform's bucket: log the model through this MLflow")
        answer = self._read(folder + MODEL_FILE)
        if answer is None:
            raise Conflict(
                f"The version has no {MODEL_FILE}: log the model in ONNX format, as one file: "
                "mlflow.onnx.log_model(…, save_as_external_data=False)"
            )
        return answer

    def _written(self, model_name: str, stage: str) -> StoredManifest | None:
        """Raises UnreadableManifest."""
        return read_manifest(self._s3, self._bucket, model_name, stage)

    def _swap(self, key: str, manifest: bytes, etag: str | None) -> None:
        """Write only if nobody has written since we read. The queue's group makes that so; this proves it."""
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        self._write(key, manifest, "application/json", **condition)

    def _read(self, key: str) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = self._s3.get_object(Bucket=self._bucket, Key=key)
        except self._s3.exceptions.NoSuchKey:
            return None
        return answer

    def _write(self, key: str, data: bytes, content_type: str, **condition: str) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=content_type, **condition)


@cache
def _store_of(bucket: str) -> ServingStore:
    return ServingStore(bucket)
