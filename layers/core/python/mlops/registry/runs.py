"""A client of MLflow's runs, for the runs of people's own code: the platform creates, reads and ends them."""

import time
from functools import cache

from mlops.domain.code_run import RunState
from mlops.domain.errors import NotFound
from mlops.registry.rest import TIMEOUT_SECONDS, Tracking, TrackingRefused, Version, settings_of_environment


class Runs(Tracking):
    """A client of the tracking server, also for runs. Errors are those of `Tracking`."""

    @classmethod
    def from_environment(cls) -> "Runs":
        return _runs_at(*settings_of_environment())

    def create_run(self, experiment_name: str, run_name: str, tags: dict[str, str]) -> str:
        """Create a run, and its experiment if there is none, and return the run's id.

        Raises:
            TrackingRefused: The experiment was deleted.
        """
        body = {
            "experiment_id": self._experiment(experiment_name),
            "run_name": run_name,
            "start_time": _now(),
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        run_id: str = self._post("runs/create", body)["run"]["info"]["run_id"]
        return run_id

    def state(self, run_id: str) -> RunState:
        """Return what a run has logged. Raises NotFound."""
        return RunState.of(self._get("runs/get", run_id=run_id)["run"])

    def set_run_tag(self, run_id: str, key: str, value: str) -> None:
        """Set a tag of a run."""
        self._post("runs/set-tag", {"run_id": run_id, "key": key, "value": value})

    def end_run(self, run_id: str, status: str) -> None:
        """End a run with MLflow's status FINISHED, FAILED or KILLED."""
        self._post("runs/update", {"run_id": run_id, "status": status, "end_time": _now()})

    def version_of(self, run_id: str) -> Version | None:
        """Return the newest version that was registered from a run, if any."""
        only = f"run_id = '{run_id}'"
        return max(self._versions(filter=only), key=lambda version: (version.created_at, version.version), default=None)

    def _experiment(self, name: str) -> str:
        try:
            return str(self._get("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"])
        except NotFound:
            pass
        try:
            return str(self._post("experiments/create", {"name": name})["experiment_id"])
        except TrackingRefused as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another request came first
                raise
        return str(self._get("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"])


def _now() -> int:
    return int(time.time() * 1000)


@cache
def _runs_at(uri: str, timeout: float = TIMEOUT_SECONDS) -> Runs:
    return Runs(uri, timeout)
