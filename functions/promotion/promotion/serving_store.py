"""Write the files below `serving/` in the bucket, which predict reads. Nothing else writes them."""

import hashlib
import os
from dataclasses import replace
from functools import cache
from typing import IO, Any

import boto3
from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from mlops.aws.missing import is_missing
from mlops.aws.serving_bucket import StoredManifest, read_manifest
from mlops.aws.serving_bucket import UnreadableManifest as UnreadableManifest
from mlops.domain.artifacts import ELSEWHERE, logged_folder
from mlops.domain.conversion import REMEDY, Conversion, explanation_file, model_file, proof_file
from mlops.domain.errors import Conflict
from mlops.domain.examination import GATE_REVISION
from mlops.domain.manifest import Manifest, explain_key, manifest_key, model_key, with_cache_epoch, with_examination
from mlops.domain.stages import Stage
from mlops.domain.timestamps import now
from mlops_contract.explanations import EXPLAIN_FILE
from mlops_contract.explanations import MAX_BYTES as EXPLAIN_BYTES
from mlops_contract.onnx_file import ModelFile
from mlops_contract.proof_rows import MAX_BYTES as PROOF_BYTES
from mlops_contract.proof_rows import PROOF_FILE

MODEL_FILE = "model.onnx"
MLMODEL_FILE = "MLmodel"
_MLMODEL_BYTES = 10 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024

logger = Logger(child=True)


class ServingStore:
    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = boto3.client("s3")

    @classmethod
    def from_environment(cls) -> "ServingStore":
        return _store_of(os.environ["ARTIFACT_BUCKET"])

    def folder(self, artifact_uri: str) -> str | None:
        """Return the prefix of a version's files; None if they are not in the platform's bucket below `mlflow/`."""
        return logged_folder(artifact_uri, self._bucket)

    def fetch(self, artifact_uri: str, max_bytes: int) -> ModelFile:
        """Read the ONNX file of a version. Its address is checked first, because a version can be registered with any.

        Raises:
            Conflict: The files are not in the platform's bucket, there is no ONNX file, or it is larger than
            `max_bytes`.
        """
        return _limited(self._logged(artifact_uri), max_bytes)

    def sha256_of(self, artifact_uri: str) -> str:
        """Return the SHA-256 of the ONNX file of a version.

        Raises:
            Conflict: The files are not in the platform's bucket, or there is no ONNX file.
        """
        digest = hashlib.sha256()
        for piece in self._logged(artifact_uri)["Body"].iter_chunks(_PIECE_BYTES):
            digest.update(piece)
        return digest.hexdigest()

    def has_model(self, artifact_uri: str) -> bool:
        """Return whether a version has an ONNX file in the platform's bucket."""
        folder = self.folder(artifact_uri)
        if folder is None:
            return False
        answer = self._read(folder + MODEL_FILE)
        if answer is not None:
            answer["Body"].close()
        return answer is not None

    def mlmodel(self, artifact_uri: str) -> str | None:
        """Read the file in which MLflow describes a version; None if there is none in the platform's bucket."""
        folder = self.folder(artifact_uri)
        answer = self._read(folder + MLMODEL_FILE) if folder is not None else None
        return answer["Body"].read(_MLMODEL_BYTES).decode(errors="replace") if answer is not None else None

    def fetch_converted(self, conversion: Conversion, max_bytes: int) -> ModelFile:
        """Read the file that a conversion wrote. The gate compares its hash.

        Raises:
            Conflict: It is gone, or larger than `max_bytes`.
        """
        answer = self._read(conversion.folder + model_file(str(conversion.sha256)))
        if answer is None:
            raise Conflict("The file that the version was converted to is gone; register the model as a new version")
        return _limited(answer, max_bytes)

    def converted_proof(self, conversion: Conversion) -> bytes | None:
        """Read the rows of a converted file's proof, if there are any."""
        sha256 = conversion.proof_sha256
        return self._small(conversion.folder + proof_file(sha256), PROOF_BYTES) if sha256 is not None else None

    def converted_explanation(self, conversion: Conversion) -> bytes | None:
        """Read what explains the answers of a converted file, if anything does."""
        return self._small(conversion.folder + explanation_file(str(conversion.sha256)), EXPLAIN_BYTES)

    def proof(self, artifact_uri: str) -> bytes | None:
        """Read the proof among the artifacts of a run; None if there is none in the platform's bucket."""
        folder = self.folder(artifact_uri)
        return self._small(folder + PROOF_FILE, PROOF_BYTES) if folder is not None else None

    def explanation(self, artifact_uri: str) -> bytes | None:
        """Read what explains a model's answers, among the artifacts of its run; None if there is none."""
        folder = self.folder(artifact_uri)
        return self._small(folder + EXPLAIN_FILE, EXPLAIN_BYTES) if folder is not None else None

    def published(self, model_name: str, sha256: str) -> ModelFile | None:
        """Return the file that `publish` wrote with this hash; None if it is gone or damaged."""
        answer = self._read(model_key(model_name, sha256))
        file = _copied(answer) if answer else None
        return file if file is not None and file.sha256 == sha256 else None

    def published_explanation(self, model_name: str, sha256: str) -> bytes | None:
        """Return what was published to explain the file with this hash; None if nothing was."""
        return self._small(explain_key(model_name, sha256), EXPLAIN_BYTES)

    def publish(self, model_name: str, model: ModelFile, explanation: bytes | None) -> None:
        """Copy the file, and what explains it, to where predict reads them. Idempotent: their names are its hash.

        A file in the cheaper storage of archived files is written again, which moves it back.
        """
        if explanation is not None:
            self._write(explain_key(model_name, model.sha256), explanation, "application/octet-stream")
        with model.stream() as content:
            self._write(model_key(model_name, model.sha256), content, "application/octet-stream")

    def manifest(self, model_name: str, stage: Stage) -> Manifest | None:
        """Read the manifest of a stage; None if the stage has none.

        Raises:
            UnreadableManifest: There is a manifest that this code cannot read.
        """
        written = self._written(model_name, stage)
        return written.manifest if written else None

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest, which predict follows. Idempotent per transition. One that cannot be read is replaced."""
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
        """Let every environment of predict load its model again at its next refresh. Idempotent per message.

        The messages of a model come one at a time, so it is enough to store the last one's id.
        """
        key = manifest_key(model_name, stage)
        try:
            written = self._written(model_name, stage)
        except UnreadableManifest as unreadable:  # predict loads no model from it
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
        """Remove the stage's manifest if it is this version's."""
        try:
            manifest = self.manifest(model_name, stage)
        except UnreadableManifest as unreadable:  # it may be another version's; reconcile handles it
            logger.warning("manifest left: unreadable", model=model_name, stage=stage, reason=str(unreadable))
            return
        if manifest is not None and manifest.model_version == version:
            self._s3.delete_object(Bucket=self._bucket, Key=manifest_key(model_name, stage))

    def remove_unreadable(self, model_name: str, stage: Stage) -> None:
        """Remove the manifest of an empty stage if it cannot be read."""
        try:
            self.manifest(model_name, stage)
        except UnreadableManifest as unreadable:
            logger.warning("unreadable manifest removed", model=model_name, stage=stage, reason=str(unreadable))
            self._s3.delete_object(Bucket=self._bucket, Key=manifest_key(model_name, stage))

    def _logged(self, artifact_uri: str) -> dict[str, Any]:
        """Return S3's answer with the version's ONNX file in MLflow. Raises Conflict."""
        folder = self.folder(artifact_uri)
        if folder is None:
            raise Conflict(ELSEWHERE)
        answer = self._read(folder + MODEL_FILE)
        if answer is None:
            raise Conflict(f"The version has no {MODEL_FILE}, and no flavour that can be converted to it: {REMEDY}")
        return answer

    def _written(self, model_name: str, stage: str) -> StoredManifest | None:
        """Raises UnreadableManifest."""
        return read_manifest(self._s3, self._bucket, model_name, stage)

    def _swap(self, key: str, manifest: bytes, etag: str | None) -> None:
        """Write only if the object has not changed since it was read. The queue's group should ensure this anyway."""
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        self._write(key, manifest, "application/json", **condition)

    def _read(self, key: str) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if is_missing(self._s3, self._bucket, key, error):
                return None
            raise
        return answer

    def _small(self, key: str, most_bytes: int) -> bytes | None:
        """Read an object; None if there is none. The first bytes of a larger one have another hash than is stated."""
        answer = self._read(key)
        data: bytes | None = answer["Body"].read(most_bytes) if answer is not None else None
        return data

    def _write(self, key: str, data: bytes | IO[bytes], content_type: str, **condition: str) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=content_type, **condition)


def _limited(answer: dict[str, Any], max_bytes: int) -> ModelFile:
    """Return the file of S3's answer. Raises Conflict if it has more than `max_bytes`."""
    if answer["ContentLength"] > max_bytes:
        answer["Body"].close()
        raise Conflict(
            f"{MODEL_FILE} has {answer['ContentLength']} bytes; at most {max_bytes} may serve: register a smaller "
            "model, or raise MaxModelBytes"
        )
    return _copied(answer)


def _copied(answer: dict[str, Any]) -> ModelFile:
    """Return the file of S3's answer, of which a piece at a time is in memory."""
    file = ModelFile()
    for piece in answer["Body"].iter_chunks(_PIECE_BYTES):
        file.write(piece)
    return file


@cache
def _store_of(bucket: str) -> ServingStore:
    return ServingStore(bucket)
