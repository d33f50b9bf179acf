"""A client of MLflow's REST API for registered models, versions, aliases, tags and runs.

It uses urllib3: MLflow's own client would cost a small function a second of cold start and 60 MiB.
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

# MLflow's codes for a failed SQL statement (BAD_REQUEST), for a database that does not answer, and for other errors
# that the caller did not cause. The same request may succeed later.
_TRANSIENT = frozenset({"BAD_REQUEST", "TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR", "REQUEST_LIMIT_EXCEEDED"})


class TrackingRefused(PlatformError):
    """MLflow refused the request. Its text is only logged, because it may contain SQL."""

    status, code, title = 502, "tracking_refused", "The model registry refused the step"

    def __init__(self, detail: str, error_code: str, message: str) -> None:
        super().__init__(detail)
        self.error_code = error_code
        self.message = message


@dataclass(frozen=True)
class Version:
    """A model version in the registry. `created_at` is the time of its registration; empty if MLflow has none."""

    model_name: str
    version: int
    run_id: str
    source: str
    tags: dict[str, str]
    mlflow_stage: str = "None"
    created_at: str = ""

    def mirrors(self, stage: Stage) -> bool:
        """Return whether the tag `stage` and MLflow's `current_stage` both say `stage`."""
        return self.tags.get("stage") == stage and self.mlflow_stage == MLFLOW_STAGES[stage]


@dataclass(frozen=True)
class RegisteredModel:
    name: str
    aliases: dict[str, int]

    def holder(self, stage: Stage) -> int | None:
        """Return the version in `stage` (Staging or Production), if any."""
        return self.aliases.get(ALIASES[stage])

    def stage_of(self, version: Version) -> Stage:
        """Return the stage of a version of this model."""
        return stage_of(self.aliases, version.version, version.tags.get("stage"))


class Tracking:
    """A client of the tracking server at `uri`; a request takes at most `timeout` seconds.

    Every method raises DependencyUnavailable if MLflow does not answer, and TrackingRefused if it refuses the request.
    """

    def __init__(self, uri: str, timeout: float = TIMEOUT_SECONDS) -> None:
        self._base = uri.rstrip("/") + "/api/2.0/mlflow/"
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(total=timeout), retries=False)
        self._signer = TrackingSigner()

    @classmethod
    def from_environment(cls) -> "Tracking":
        """Read MLFLOW_TRACKING_URI, and TRACKING_TIMEOUT_SECONDS (default 3)."""
        return _tracking_at(*settings_of_environment())

    def check(self) -> None:
        """Ask for one experiment: only a server that reaches its database can answer, and only a caller it knows."""
        self._get("experiments/search", max_results="1")

    def model(self, name: str) -> RegisteredModel:
        """Get a registered model. Raises NotFound."""
        return _model(self._get("registered-models/get", name=name)["registered_model"])

    def models(self) -> Iterator[RegisteredModel]:
        """List the registered models."""
        for document in self._pages("registered-models/search", "registered_models"):
            yield _model(document)

    def versions(self, name: str | None = None) -> Iterator[Version]:
        """List the versions of a model, or of all models."""
        return self._versions(**({"filter": f"name = {quoted(name)}"} if name else {}))

    def in_mlflow_stage(self, name: str, stage: Stage) -> list[int]:
        """List the newest version whose `current_stage` in MLflow is `stage`: none or one."""
        body = {"name": name, "stages": [MLFLOW_STAGES[stage]]}
        answer = self._post("registered-models/get-latest-versions", body)
        return [int(version["version"]) for version in answer.get("model_versions", [])]

    def version(self, name: str, version: int) -> Version:
        """Get a version of a model. Raises NotFound."""
        return _version(self._get("model-versions/get", name=name, version=str(version))["model_version"])

    def find_version(self, name: str, run_id: str) -> Version | None:
        """Get the version that was registered from the run, if any."""
        only = f"name = {quoted(name)} and run_id = '{run_id}'"
        versions = self._get("model-versions/search", filter=only, max_results="1").get("model_versions", [])
        return _version(versions[0]) if versions else None

    def artifact_uri(self, name: str, version: int) -> str:
        """Get the address of the version's files (`s3://…`)."""
        uri: str = self._get("model-versions/get-download-uri", name=name, version=str(version))["artifact_uri"]
        return uri

    def run(self, run_id: str) -> dict[str, Any]:
        """Get `{"metrics": …, "params": …, "tags": …, "model_id": …, "artifact_uri": …}` of a run. Raises NotFound."""
        run = self._get("runs/get", run_id=run_id)["run"]
        data = run.get("data", {})
        models = run.get("outputs", {}).get("model_outputs", [])
        return {
            "metrics": {metric["key"]: float(metric["value"]) for metric in data.get("metrics", [])},
            "params": {param["key"]: param["value"] for param in data.get("params", [])},
            "tags": {tag["key"]: tag["value"] for tag in data.get("tags", [])},
            "model_id": models[0]["model_id"] if models else None,
            "artifact_uri": run.get("info", {}).get("artifact_uri", ""),
        }

    def register(
        self, name: str, run_id: str, model_id: str, tags: dict[str, str], description: str | None = None
    ) -> Version:
        """Register the run's logged model as a new version, or return the version that exists already."""
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
            **({"description": description} if description else {}),
        }
        return self.find_version(name, run_id) or _version(self._post("model-versions/create", body)["model_version"])

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Set an alias to a version."""
        self._post("registered-models/alias", {"name": name, "alias": alias, "version": str(version)})

    def delete_alias(self, name: str, alias: str) -> None:
        """Delete an alias. Idempotent."""
        try:
            self._call("DELETE", "registered-models/alias", body={"name": name, "alias": alias})
        except (NotFound, TrackingRefused):
            if alias in self.model(name).aliases:
                raise

    def set_tag(self, name: str, version: int, key: str, value: str) -> None:
        """Set a tag of a version."""
        self._post("model-versions/set-tag", {"name": name, "version": str(version), "key": key, "value": value})

    def set_run_tag(self, run_id: str, key: str, value: str) -> None:
        """Set a tag of a run."""
        self._post("runs/set-tag", {"run_id": run_id, "key": key, "value": value})

    def mirror_stage(self, name: str, version: int, stage: Stage) -> None:
        """Write a version's stage to its tag `stage` and to MLflow's `current_stage`, where users see it."""
        self.set_tag(name, version, "stage", stage)
        body = {"name": name, "version": str(version), "stage": MLFLOW_STAGES[stage]}
        self._post("model-versions/transition-stage", {**body, "archive_existing_versions": False})

    def _versions(self, **query: str) -> Iterator[Version]:
        return map(_version, self._pages("model-versions/search", "model_versions", **query))

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
            # quote, not quote_plus: in SigV4's canonical query a space is %20.
            url += "?" + urlencode(query, quote_via=quote)
        data = json.dumps(body).encode() if body is not None else None
        headers = self._signer.headers(method, url, data, {"Content-Type": "application/json"})
        try:
            answer = self._pool.request(method, url, body=data, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise DependencyUnavailable("The model registry (MLflow) does not answer; try again") from error
        if answer.status == 429 or answer.status >= 500:
            raise DependencyUnavailable(f"The model registry (MLflow) answered {answer.status}; try again")
        document = _json(answer.data)
        if answer.status < 400:
            return document
        error_code = str(document.get("error_code", answer.status))
        if error_code == "RESOURCE_DOES_NOT_EXIST":
            raise NotFound(f"The model registry has no such {path.split('/')[0].removesuffix('s').replace('-', ' ')}")
        if error_code in _TRANSIENT:
            raise DependencyUnavailable(f"The model registry (MLflow) failed ({error_code}); try again")
        raise TrackingRefused(
            f"The model registry (MLflow) refused {path} ({error_code})",
            error_code,
            str(document.get("message", ""))[:500],
        )


def settings_of_environment() -> tuple[str, float]:
    """Return the tracking server's address, and the longest time of a request in seconds."""
    return os.environ["MLFLOW_TRACKING_URI"], float(os.environ.get("TRACKING_TIMEOUT_SECONDS", TIMEOUT_SECONDS))


def quoted(name: str) -> str:
    """Quote a name for a filter. MLflow allows quotes in names, but its filters cannot escape them."""
    quote_mark = '"' if "'" in name else "'"
    return f"{quote_mark}{name}{quote_mark}"


def _json(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data or b"{}")
    except ValueError as error:
        raise DependencyUnavailable("The model registry (MLflow) did not answer with JSON; try again") from error
    return document if isinstance(document, dict) else {}


def _model(document: dict[str, Any]) -> RegisteredModel:
    aliases = {alias["alias"]: int(alias["version"]) for alias in document.get("aliases", [])}
    return RegisteredModel(name=document["name"], aliases=aliases)


def _version(document: dict[str, Any]) -> Version:
    return Version(
        model_name=document["name"],
        version=int(document["version"]),
        run_id=document.get("run_id", ""),
        source=document.get("source", ""),
        tags={tag["key"]: tag["value"] for tag in document.get("tags", [])},
        mlflow_stage=document.get("current_stage", "None"),
        created_at=from_milliseconds(int(document["creation_timestamp"])) if "creation_timestamp" in document else "",
    )


@cache
def _tracking_at(uri: str, timeout: float) -> Tracking:
    return Tracking(uri, timeout)
