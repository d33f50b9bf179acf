"""Looks whether the services behind the platform answer; never at Postgres itself, which tracking speaks for."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mlops.api.schemas.platform import Dependency, Ready
from mlops.domain.manifest import Manifest, ManifestError, manifest_key
from mlops.settings import Settings

CACHE_SECONDS = 10.0


@dataclass(frozen=True)
class ReadinessSettings(Settings):
    jobs_table: str
    artifact_bucket: str
    default_model_name: str
    mlflow_tracking_uri: str


class Readiness:
    """One look at each dependency, kept for ten seconds so that nobody can wear them out by asking."""

    def __init__(self, settings: ReadinessSettings) -> None:
        # Clients of its own, not the adapters: nobody waits longer than two seconds to hear that a service is down.
        quick = Config(connect_timeout=2, read_timeout=2, retries={"total_max_attempts": 1})
        self._settings = settings
        self._dynamodb = boto3.client("dynamodb", config=quick)
        self._s3 = boto3.client("s3", config=quick)
        self._http = urllib3.PoolManager(timeout=3.0, retries=False)
        self._looked_at = 0.0
        self._found: Ready | None = None

    @classmethod
    def from_environment(cls) -> "Readiness":
        return _readiness()

    def look(self) -> Ready:
        if self._found is None or time.monotonic() - self._looked_at > CACHE_SECONDS:
            dependencies = {"dynamodb": self._table(), "s3": self._manifest(), "tracking": self._tracking()}
            down = [name for name, found in dependencies.items() if not found.ok]
            self._found = Ready(status="degraded" if down else "ready", dependencies=dependencies)
            self._looked_at = time.monotonic()
        return self._found

    def _table(self) -> Dependency:
        try:
            self._dynamodb.get_item(TableName=self._settings.jobs_table, Key={"job_id": {"S": "counter"}})
        except (BotoCoreError, ClientError):
            return Dependency(ok=False, detail="the jobs table does not answer")
        return Dependency(ok=True, detail="the jobs table answers")

    def _manifest(self) -> Dependency:
        model = self._settings.default_model_name
        key = manifest_key(model, "Production")
        try:
            found = self._s3.list_objects_v2(Bucket=self._settings.artifact_bucket, Prefix=key).get("Contents")
            if not found:
                return Dependency(ok=True, detail=f"no version of {model!r} is in Production yet")
            data = self._s3.get_object(Bucket=self._settings.artifact_bucket, Key=key)["Body"].read()
        except (BotoCoreError, ClientError):
            return Dependency(ok=False, detail="the bucket does not answer")
        age = (datetime.now(UTC) - found[0]["LastModified"]).total_seconds()
        try:
            Manifest.from_json(data)
        except ManifestError as error:
            return Dependency(
                ok=False, detail=f"the manifest of {model!r} in Production cannot be read: {error}", age_seconds=age
            )
        return Dependency(ok=True, detail=f"the manifest of {model!r} is {age:.0f} s old", age_seconds=age)

    def _tracking(self) -> Dependency:
        try:
            answer = self._http.request("GET", self._settings.mlflow_tracking_uri.rstrip("/") + "/version")
        except urllib3.exceptions.HTTPError:
            return Dependency(ok=False, detail="MLflow does not answer")
        # Behind IAM an unsigned look is refused, which is an answer too.
        well = answer.status in (200, 403)
        return Dependency(ok=well, detail="MLflow answers" if well else f"MLflow answered {answer.status}")


@cache
def _readiness() -> Readiness:
    return Readiness(ReadinessSettings.from_environment())
