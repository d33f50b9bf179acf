"""Write what predict reads of a rollout: `serving/<model>/Rollout.json` and the challenger's, `Canary.json`."""

import os
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

from mlops.aws.missing import MISSING, is_missing
from mlops.domain.manifest import Manifest, manifest_key
from mlops.domain.manifest_fields import ManifestError
from mlops.domain.rollout.live import CANARY, LiveRollout, rollout_key
from mlops.domain.stages import Stage

_CHANGED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409", *MISSING)


@dataclass(frozen=True)
class StoredRollout:
    """The file of a rollout, and the ETag of its bytes. `live` is None if they cannot be read."""

    live: LiveRollout | None
    etag: str


class RolloutFiles:
    """Adapter of the bucket `ARTIFACT_BUCKET`."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = boto3.client("s3")

    @classmethod
    def from_environment(cls) -> "RolloutFiles":
        return _files_in(os.environ["ARTIFACT_BUCKET"])

    def read(self, model_name: str) -> StoredRollout | None:
        """Return the file of a model's rollout, if there is one."""
        key = rollout_key(model_name)
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if is_missing(self._s3, self._bucket, key, error):
                return None
            raise
        try:
            live = LiveRollout.from_json(answer["Body"].read())
        except ManifestError:
            live = None
        return StoredRollout(live, answer["ETag"])

    def publish(self, challenger: Manifest, live: LiveRollout) -> None:
        """Write both files, in place of those of a former rollout: first the manifest, which the other one names."""
        manifest = replace(challenger, stage=Stage.PRODUCTION)
        self._write(manifest_key(challenger.model_name, CANARY), manifest.to_json())
        self._write(rollout_key(challenger.model_name), live.to_json())

    def renew(self, model_name: str, live: LiveRollout, etag: str) -> bool:
        """Write the file again, if it has not changed since it was read; False if it has, or is gone."""
        try:
            self._write(rollout_key(model_name), live.to_json(), IfMatch=etag)
        except ClientError as error:
            if error.response["Error"]["Code"] in _CHANGED:
                return False
            raise
        return True

    def remove(self, model_name: str, rollout_id: str) -> None:
        """Remove the file of a rollout, unless it is already another one's. Idempotent.

        From then on, within predict's refresh interval, only Production answers.
        """
        stored = self.read(model_name)
        if stored is not None and (stored.live is None or stored.live.id == rollout_id):
            self._s3.delete_object(Bucket=self._bucket, Key=rollout_key(model_name))

    def _write(self, key: str, data: bytes, **condition: Any) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType="application/json", **condition)


@cache
def _files_in(bucket: str) -> RolloutFiles:
    return RolloutFiles(bucket)
