"""MLflow's REST API, as much of it as the registry needs: registered models, versions, aliases, tags, runs.

urllib3 instead of MLflow's client, which would cost a small function a second of cold start and 60 MiB.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from mlops.domain.errors import DependencyUnavailable, NotFound, PlatformError
from mlops.domain.stages import ALIASES, MLFLOW_STAGES, Stage, stage_of
from mlops.domain.timestamps import from_milliseconds
from mlops.registry.signing import TrackingSigner

TIMEOUT_SECONDS = 3.0
PAGE = 1000

# MLflow's words for an SQL statement that failed (BAD_REQUEST), for a database that is away, and for all else that is
# not the caller's doing. The request may be right; another moment decides.
_TROUBLE = frozenset({"BAD_REQUEST", "TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR", "REQUEST_LIMIT_EXCEEDED"})


class TrackingRefused(PlatformError):
    """MLflow understood the request and refused it. Its own text stays in the log: it may carry SQL."""

    status, code, title = 502, "tracking_refused", "The model registry refused the step"

    def __init__(self, detail: str, error_code: str, message: str) -> None:
        super().__init__(detail)
        self.error_code = error_code
        self.message = message


@dataclass(frozen=True)
class Version:
    """A model version as the registry has it. `created_at` is when it was registered; empty if MLflow does not say."""

    model_name: str
    version: int
    run_id: str
    source: str
    tags: dict[str, str]
    mlflow_stage: str = "None"
    created_at: str = ""

    def mirrors(self, stage: Stage) -> bool:
        """Whether the tag `stage` and MLflow's own `current_stage` say that the version is in `stage`."""
        return self.tags.get("stage") == stage and self.mlflow_stage == MLFLOW_STAGES[stage]


@dataclass(frozen=True)
class RegisteredModel:
    name: str
    aliases: dict[str, int]

    def holder(self, stage: Stage) -> int | None:
        """The version in `stage` (Staging or Production), if any."""
        return self.aliases.get(ALIASES[stage])

    def stage_of(self, version: Version) -> Stage:
        return stage_of(self.aliases, version.version, version.tags.get("stage"))


class Tracking:
    """Client of the tracking server at `uri`; a call takes at most `timeout` seconds."""

    def __init__(self, uri: str, timeout: float = TIMEOUT_SECONDS) -> None:
        self._base = uri.rstrip("/") + "/api/2.0/mlflow/"
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(total=timeout), retries=False)
        self._signer = TrackingSigner()

    @classmethod
    def from_environment(cls) -> "Tracking":
        """Reads MLFLOW_TRACKING_URI, and TRACKING_TIMEOUT_SECONDS (3), which is longer where nobody waits."""
        timeout = float(os.environ.get("TRACKING_TIMEOUT_SECONDS", TIMEOUT_SECONDS))
        return _tracking_at(os.environ["MLFLOW_TRACKING_URI"], timeout)

    def model(self, name: str) -> RegisteredModel:
        """Raises NotFound."""
        return _model(self._get("registered-models/get", name=name)["registered_model"])

    def models(self) -> Iterator[RegisteredModel]:
        """All registered models."""
        for found in self._pages("registered-models/search", "registered_models"):
            yield _model(found)

    def versions(self, name: str | None = None) -> Iterator[Version]:
        """All versions of one model, or of all models."""
        only = {"filter": f"name = {_quoted(name)}"} if name else {}
        for found in self._pages("model-versions/search", "model_versions", **only):
            yield _version(found)

    def in_mlflow_stage(self, name: str, stage: Stage) -> list[int]:
        """The newest version that MLflow's own `current_stage` has in `stage`, as a list of none or one."""
        body = {"name": name, "stages": [MLFLOW_STAGES[stage]]}
        found = self._post("registered-models/get-latest-versions", body)
        return [int(version["version"]) for version in found.get("model_versions", [])]

    def version(self, name: str, version: int) -> Version:
        """Raises NotFound."""
        return _version(self._get("model-versions/get", name=name, version=str(version))["model_version"])

    def find_version(self, name: str, run_id: str) -> Version | None:
        """The version that was registered from the run, if any."""
        only = f"name = {_quoted(name)} and run_id = '{run_id}'"
        found = self._get("model-versions/search", filter=only, max_results="1")
        versions = found.get("model_versions", [])
        return _version(versions[0]) if versions else None

    def artifact_uri(self, name: str, version: int) -> str:
        """Where the version's files lie (`s3://…`)."""
        uri: str = self._get("model-versions/get-download-uri", name=name, version=str(version))["artifact_uri"]
        return uri

    def run(self, run_id: str) -> dict[str, Any]:
        """`{"metrics": …, "params": …, "tags": …, "model_id": …}` of a run. Raises NotFound."""
        found = self._get("runs/get", run_id=run_id)["run"]
        data = found.get("data", {})
        models = found.get("outputs", {}).get("model_outputs", [])
        return {
            "metrics": {metric["key"]: float(metric["value"]) for metric in data.get("metrics", [])},
            "params": {param["key"]: param["value"] for param in data.get("params", [])},
            "tags": {tag["key"]: tag["value"] for tag in data.get("tags", [])},
            "model_id": models[0]["model_id"] if models else None,
        }

    def register(self, name: str, run_id: str, model_id: str, tags: dict[str, str]) -> Version:
        """Register the run's logged model as a new version, or return the one registered before."""
        try:
            self._post("registered-models/create", {"name": name})
        except TrackingRefused as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        body = {
            "name": name,
            "run_id": run_id,
            "model_id": model_id,
            "source": f"models:/{model_id}",
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        return self.find_version(name, run_id) or _version(self._post("model-versions/create", body)["model_version"])

    def set_alias(self, name: str, alias: str, version: int) -> None:
        self._post("registered-models/alias", {"name": name, "alias": alias, "version": str(version)})

    def delete_alias(self, name: str, alias: str) -> None:
        """Idempotent: an alias that is not there is no error."""
        try:
            self._call("DELETE", "registered-models/alias", body={"name": name, "alias": alias})
        except (NotFound, TrackingRefused):
            if alias in self.model(name).aliases:
                raise

    def set_tag(self, name: str, version: int, key: str, value: str) -> None:
        self._post("model-versions/set-tag", {"name": name, "version": str(version), "key": key, "value": value})

    def mirror_stage(self, name: str, version: int, stage: Stage) -> None:
        """Write what the alias says to where people look: the tag `stage` and MLflow's own `current_stage`."""
        self.set_tag(name, version, "stage", stage)
        given = {"name": name, "version": str(version), "stage": MLFLOW_STAGES[stage]}
        self._post("model-versions/transition-stage", {**given, "archive_existing_versions": False})

    def _pages(self, path: str, field: str, **query: str) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        while True:
            answer = self._get(path, max_results=str(PAGE), **query, **token)
            yield from answer.get(field, [])
            if not answer.get("next_page_token"):
                return
            token = {"page_token": answer["next_page_token"]}

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        return self._call("GET", path, query=query)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._call("POST", path, body=body)

    def _call(
        self, method: str, path: str, query: dict[str, str] | None = None, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        url = self._base + path
        if query:
            # quote, not quote_plus: SigV4's canonical query spells a space %20.
            url += "?" + urlencode(query, quote_via=quote)
        data = json.dumps(body).encode() if body is not None else None
        headers = self._signer.headers(method, url, data, {"Content-Type": "application/json"})
        try:
            answer = self._pool.request(method, url, body=data, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise DependencyUnavailable("The model registry (MLflow) does not answer") from error
        if answer.status == 429 or answer.status >= 500:
            raise DependencyUnavailable(f"The model registry (MLflow) answered {answer.status}")
        document = _json(answer.data)
        if answer.status < 400:
            return document
        error_code = str(document.get("error_code", answer.status))
        if error_code == "RESOURCE_DOES_NOT_EXIST":
            raise NotFound(f"The model registry has no such {path.split('/')[0].removesuffix('s').replace('-', ' ')}")
        if error_code in _TROUBLE:
            raise DependencyUnavailable(f"The model registry (MLflow) could not do it ({error_code})")
        raise TrackingRefused(
            f"The model registry refused {path} ({error_code})", error_code, str(document.get("message", ""))[:500]
        )


def _quoted(name: str) -> str:
    """A name in a filter. MLflow lets it have a quote in it, and has no way to escape one."""
    quote_mark = '"' if "'" in name else "'"
    return f"{quote_mark}{name}{quote_mark}"


def _json(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data or b"{}")
    except ValueError as error:
        raise DependencyUnavailable("The model registry (MLflow) did not answer JSON") from error
    return document if isinstance(document, dict) else {}


def _model(found: dict[str, Any]) -> RegisteredModel:
    aliases = {alias["alias"]: int(alias["version"]) for alias in found.get("aliases", [])}
    return RegisteredModel(name=found["name"], aliases=aliases)


def _version(found: dict[str, Any]) -> Version:
    return Version(
        model_name=found["name"],
        version=int(found["version"]),
        run_id=found.get("run_id", ""),
        source=found.get("source", ""),
        tags={tag["key"]: tag["value"] for tag in found.get("tags", [])},
        mlflow_stage=found.get("current_stage", "None"),
        created_at=from_milliseconds(int(found["creation_timestamp"])) if "creation_timestamp" in found else "",
    )


@cache
def _tracking_at(uri: str, timeout: float) -> Tracking:
    return Tracking(uri, timeout)
