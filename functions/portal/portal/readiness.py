"""Check whether the services behind the platform answer. PostgreSQL is checked through MLflow."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mlops.api.schemas.platform import Dependency, Ready
from mlops.aws.serving_bucket import UnreadableManifest, read_manifest
from mlops.domain.errors import PlatformError
from mlops.registry.rest import Tracking
from mlops.settings import Settings

CACHE_SECONDS = 10.0


@dataclass(frozen=True)
class ReadinessSettings(Settings):
    jobs_table: str
    artifact_bucket: str
    default_model_name: str


class Readiness:
    """Checks of the services. Results are kept for ten seconds, so that callers cannot overload the services."""

    def __init__(self, settings: ReadinessSettings, tracking: Tracking) -> None:
        # Not the clients of the adapters: a service that is down has to be reported within seconds.
        quick = Config(connect_timeout=2, read_timeout=2, retries={"total_max_attempts": 1})
        self._settings = settings
        self._dynamodb = boto3.client("dynamodb", config=quick)
        self._s3 = boto3.client("s3", config=quick)
        self._registry = tracking
        self._checked_at = 0.0
        self._state: Ready | None = None

    @classmethod
    def from_environment(cls) -> "Readiness":
        return _readiness()

    def check(self) -> Ready:
        """Check each service, or return the results of the last ten seconds."""
        if self._state is None or time.monotonic() - self._checked_at > CACHE_SECONDS:
            dependencies = {"dynamodb": self._table(), "s3": self._manifest(), "tracking": self._tracking()}
            is_ready = all(dependency.ok for dependency in dependencies.values())
            self._state = Ready(status="ready" if is_ready else "degraded", dependencies=dependencies)
            self._checked_at = time.monotonic()
        return self._state

    def _table(self) -> Dependency:
        try:
            self._dynamodb.get_item(TableName=self._settings.jobs_table, Key={"job_id": {"S": "counter"}})
        except (BotoCoreError, ClientError):
            return Dependency(ok=False, detail="the jobs table does not answer")
        return Dependency(ok=True, detail="the jobs table answers")

    def _manifest(self) -> Dependency:
        model = self._settings.default_model_name
        try:
            stored = read_manifest(self._s3, self._settings.artifact_bucket, model, "Production")
        except UnreadableManifest as error:
            detail = f"the manifest of {model!r} in Production cannot be read: {error}"
            return Dependency(ok=False, detail=detail, age_seconds=_age(error.written))
        except (BotoCoreError, ClientError):
            return Dependency(ok=False, detail="the bucket does not answer")
        if stored is None:
            return Dependency(ok=True, detail=f"no version of {model!r} is in Production yet")
        age, manifest = _age(stored.written), stored.manifest
        warning = None
        if manifest.refusal is not None:
            warning = (
                f"the gate would no longer admit version {manifest.model_version} of {model!r}, which serves in "
                f"Production: {manifest.refusal}. Roll back, or promote another version"
            )
        detail = f"the manifest of {model!r} is {age:.0f} s old"
        return Dependency(ok=True, detail=detail, warning=warning, age_seconds=age)

    def _tracking(self) -> Dependency:
        try:
            self._registry.check()
        except PlatformError as error:
            return Dependency(ok=False, detail=error.detail)
        return Dependency(ok=True, detail="MLflow answers")


def _age(written: datetime) -> float:
    return (datetime.now(UTC) - written).total_seconds()


@cache
def _readiness() -> Readiness:
    return Readiness(ReadinessSettings.from_environment(), Tracking.from_environment())
