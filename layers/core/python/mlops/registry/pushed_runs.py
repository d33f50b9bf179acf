"""A client of MLflow for versions that come from another stack: it writes their runs and logs their models."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from mlops.registry.rest import TIMEOUT_SECONDS, Version, settings_of_environment
from mlops.registry.runs import Runs, unix_milliseconds

PUSH_TAG = "mlops.push"
"""The tag of a run, and of its version, with the digest of the push."""
MODEL_NAME = "model"
_AT_ONCE = 100
"""How many parameters, metrics or tags MLflow is sent at a time."""


@dataclass(frozen=True)
class PushedRun:
    """A run of a push, and where its files belong: the run's own, and those of its model (`s3://…`)."""

    run_id: str
    model_id: str
    artifact_uri: str
    model_uri: str


class PushedRuns(Runs):
    """A client of the tracking server for pushes. Each step can be repeated. Errors are those of `Tracking`."""

    @classmethod
    def from_environment(cls) -> "PushedRuns":
        return _pushed_runs_at(*settings_of_environment())

    def pushed(self, name: str, digest: str, sha256: str | None) -> Version | None:
        """Return the version of a model that has this file, or that was pushed with this digest, if there is one."""
        wanted = {"sha256": sha256} if sha256 is not None else {PUSH_TAG: digest}
        ((key, value),) = wanted.items()
        return next((each for each in self.versions(name) if each.tags.get(key) == value), None)

    def open(self, experiment: str, run_name: str | None, digest: str, tags: Mapping[str, str]) -> PushedRun:
        """Return the run of a push that has begun before, or create one, with a model to log.

        Raises:
            TrackingRefused: The experiment was deleted.
        """
        run_id = self._found(experiment, digest)
        if run_id is None:
            run_id = self.create_run(experiment, run_name or f"push-{digest[:8]}", {**tags, PUSH_TAG: digest})
        run = self.run(run_id)
        model_id = run["model_id"] or self._new_model(run_id, experiment)
        model = self._get(f"logged-models/{model_id}")["model"]["info"]
        return PushedRun(run_id, model_id, run["artifact_uri"], model["artifact_uri"])

    def log(self, run_id: str, params: Mapping[str, str], metrics: Mapping[str, float]) -> None:
        """Log parameters, and the last values of metrics. What is logged already stays."""
        at = unix_milliseconds()
        logged = self.run(run_id)["metrics"]
        points = [
            {"key": key, "value": value, "timestamp": at, "step": 0}
            for key, value in metrics.items()
            if key not in logged
        ]
        pairs = [{"key": key, "value": value} for key, value in params.items()]
        for field, entries in (("params", pairs), ("metrics", points)):
            for start in range(0, len(entries), _AT_ONCE):
                self._post("runs/log-batch", {"run_id": run_id, field: entries[start : start + _AT_ONCE]})

    def finish(self, run: PushedRun) -> None:
        """Say that the model is logged whole, and end the run."""
        body = {"model_id": run.model_id, "status": "LOGGED_MODEL_READY"}
        self._call("PATCH", f"logged-models/{run.model_id}", body=body)
        self.set_run_tag(run.run_id, "mlops.model_uri", f"models:/{run.model_id}")
        self.end_run(run.run_id, "FINISHED")

    def _found(self, experiment: str, digest: str) -> str | None:
        only = f"tags.`{PUSH_TAG}` = '{digest}'"
        body = {"experiment_ids": [self._experiment(experiment)], "filter": only, "max_results": 1}
        runs: list[dict[str, Any]] = self._post("runs/search", body).get("runs", [])
        return str(runs[0]["info"]["run_id"]) if runs else None

    def _new_model(self, run_id: str, experiment: str) -> str:
        """Create a model and note it in the run, so that a later attempt finds it there."""
        body = {"experiment_id": self._experiment(experiment), "name": MODEL_NAME, "source_run_id": run_id}
        model_id = str(self._post("logged-models", body)["model"]["info"]["model_id"])
        self._post("runs/outputs", {"run_id": run_id, "models": [{"model_id": model_id, "step": 0}]})
        return model_id


@cache
def _pushed_runs_at(uri: str, timeout: float = TIMEOUT_SECONDS) -> PushedRuns:
    return PushedRuns(uri, timeout)
