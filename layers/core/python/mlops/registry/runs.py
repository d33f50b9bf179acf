"""A client of MLflow's runs, for the runs of people's own code: the platform creates, reads and ends them."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

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
            "start_time": unix_milliseconds(),
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        run_id: str = self._post("runs/create", body)["run"]["info"]["run_id"]
        return run_id

    def state(self, run_id: str) -> RunState:
        """Return what a run has logged. Raises NotFound."""
        return RunState.of(self._get("runs/get", run_id=run_id)["run"])

    def experiment_of(self, name_or_id: str) -> tuple[str, str]:
        """Return id and name of an experiment; a name comes before an id with the same digits. Raises NotFound."""
        for found in self._experiments(name_or_id):
            if found.get("lifecycle_stage") != "deleted":
                return str(found["experiment_id"]), str(found["name"])
        raise NotFound(f"There is no experiment {name_or_id!r}; GET /experiments lists them")

    def tags(self, experiment_id: str, run_id: str) -> dict[str, str]:
        """Return the tags of a run of an experiment. Raises NotFound: also if the run was deleted."""
        run = self._get("runs/get", run_id=run_id)["run"]
        info = run["info"]
        if str(info["experiment_id"]) != experiment_id or info.get("lifecycle_stage") == "deleted":
            raise NotFound(f"The experiment has no run {run_id}")
        return {tag["key"]: tag["value"] for tag in run.get("data", {}).get("tags", [])}

    def change_tags(self, run_id: str, tags: Mapping[str, str | None]) -> None:
        """Set tags of a run, all in one request, and remove those that are None. May be done again at any time."""
        values = [{"key": key, "value": value} for key, value in tags.items() if value is not None]
        if values:
            self._post("runs/log-batch", {"run_id": run_id, "tags": values})
        for key in [key for key, value in tags.items() if value is None]:
            with suppress(NotFound):
                self._post("runs/delete-tag", {"run_id": run_id, "key": key})

    def end_run(self, run_id: str, status: str) -> None:
        """End a run with MLflow's status FINISHED, FAILED or KILLED."""
        self._post("runs/update", {"run_id": run_id, "status": status, "end_time": unix_milliseconds()})

    def version_of(self, run_id: str) -> Version | None:
        """Return the newest version that was registered from a run, if any."""
        only = f"run_id = '{run_id}'"
        return max(self._versions(filter=only), key=lambda version: (version.created_at, version.version), default=None)

    def _experiments(self, name_or_id: str) -> Iterator[dict[str, Any]]:
        with suppress(NotFound):
            yield self._get("experiments/get-by-name", experiment_name=name_or_id)["experiment"]
        if name_or_id.isdecimal():
            with suppress(NotFound):
                yield self._get("experiments/get", experiment_id=name_or_id)["experiment"]

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


def unix_milliseconds() -> int:
    """Return the current time as MLflow writes it."""
    return int(time.time() * 1000)


@cache
def _runs_at(uri: str, timeout: float = TIMEOUT_SECONDS) -> Runs:
    return Runs(uri, timeout)
