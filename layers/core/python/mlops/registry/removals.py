"""A client of MLflow for what is deleted: tags that hide versions, runs that are deleted and restored, their files."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any, Literal

from mlops.domain.bin import TAG
from mlops.domain.errors import NotFound
from mlops.registry.rest import TIMEOUT_SECONDS, Tracking, Version, quoted, settings_of_environment

DELETED_STAGE = "deleted"
_PAGE_OF_MODELS = 50
"""MLflow's limit for logged models."""


class Removals(Tracking):
    """A client of the tracking server. Errors are those of `Tracking`. All changes can be repeated."""

    @classmethod
    def from_environment(cls) -> "Removals":
        return _removals_at(*settings_of_environment())

    # Versions and models

    def hide_version(self, name: str, version: int) -> None:
        """Let lists leave out a version. Raises NotFound."""
        self.set_tag(name, version, TAG, "true")

    def show_version(self, name: str, version: int) -> None:
        """Let lists show a version again. One that was deleted in MLflow is left alone."""
        self._delete("model-versions/delete-tag", {"name": name, "version": str(version), "key": TAG})

    def hide_model(self, name: str) -> None:
        """Let lists leave out a model, as long as all its versions are hidden or deleted. Raises NotFound."""
        self._post("registered-models/set-tag", {"name": name, "key": TAG, "value": "true"})

    def show_model(self, name: str) -> None:
        """Let lists show a model again. One that was deleted in MLflow is left alone."""
        self._delete("registered-models/delete-tag", {"name": name, "key": TAG})

    def hidden_versions(self) -> Iterator[Version]:
        """List the versions that lists leave out."""
        return self._versions(filter=f"tag.`{TAG}` = 'true'")

    def delete_version(self, name: str, version: int) -> None:
        """Delete a version in MLflow, which cannot be undone. Its number is not given again."""
        self._delete("model-versions/delete", {"name": name, "version": str(version)})

    def versions_of_run(self, run_id: str) -> list[Version]:
        """List the versions that were registered from a run."""
        return list(self._versions(filter=f"run_id = '{run_id}'"))

    # Experiments and runs

    def experiment(self, name_or_id: str) -> dict[str, Any]:
        """Get an experiment, deleted or not; a name comes before an id with the same digits. Raises NotFound."""
        try:
            found: dict[str, Any] = self._get("experiments/get-by-name", experiment_name=name_or_id)["experiment"]
        except NotFound:
            if not name_or_id.isdecimal():
                raise NotFound(f"There is no experiment {name_or_id!r}; GET /experiments lists them") from None
            found = self.experiment_by_id(name_or_id)
        return found

    def experiment_by_id(self, experiment_id: str) -> dict[str, Any]:
        """Get an experiment, deleted or not. Raises NotFound."""
        found: dict[str, Any] = self._get("experiments/get", experiment_id=experiment_id)["experiment"]
        return found

    def experiments(self) -> Iterator[dict[str, Any]]:
        """List all experiments, deleted or not."""
        return self._pages("experiments/search", "experiments", view_type="ALL")

    def runs(self, experiment_id: str) -> Iterator[dict[str, Any]]:
        """List what MLflow knows of the runs of an experiment (`info`), deleted or not."""
        yield from (run["info"] for run in self._runs({"experiment_ids": [experiment_id]}))

    def runs_of_data(self, attribute: Literal["name", "digest"], value: str) -> Iterator[dict[str, Any]]:
        """List the runs that have logged this data set, deleted or not: `info`, `data`, `inputs`."""
        ids = [str(each["experiment_id"]) for each in self.experiments()]
        yield from self._runs({"experiment_ids": ids, "filter": f"dataset.{attribute} = {quoted(value)}"})

    def _runs(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        body = {**asked, "run_view_type": "ALL", "max_results": 1000}
        while True:
            answer = self._post("runs/search", body)
            yield from answer.get("runs", [])
            if not answer.get("next_page_token"):
                return
            body["page_token"] = answer["next_page_token"]

    def run_info(self, run_id: str) -> dict[str, Any]:
        """Get what MLflow knows of a run (`info`), deleted or not. Raises NotFound."""
        info: dict[str, Any] = self._get("runs/get", run_id=run_id)["run"]["info"]
        return info

    def logged_models(self, experiment_id: str) -> Iterator[dict[str, Any]]:
        """List the models that the runs of an experiment have logged: `model_id`, `source_run_id`, `artifact_uri`."""
        body: dict[str, Any] = {"experiment_ids": [experiment_id], "max_results": _PAGE_OF_MODELS}
        while True:
            answer = self._post("logged-models/search", body)
            yield from (model["info"] for model in answer.get("models", []))
            if not answer.get("next_page_token"):
                return
            body["page_token"] = answer["next_page_token"]

    def logged_model(self, model_id: str) -> dict[str, Any] | None:
        """Get a model that a run has logged, as above; None if there is none any more."""
        try:
            info: dict[str, Any] = self._get(f"logged-models/{model_id}")["model"]["info"]
        except NotFound:
            return None
        return info

    def set_run_deleted(self, run_id: str, deleted: bool) -> None:
        """Delete or restore a run. Raises NotFound."""
        if (self.run_info(run_id)["lifecycle_stage"] == DELETED_STAGE) is not deleted:
            self._post(f"runs/{'delete' if deleted else 'restore'}", {"run_id": run_id})

    def set_experiment_deleted(self, experiment_id: str, deleted: bool) -> None:
        """Delete or restore an experiment, with all its runs. Raises NotFound."""
        found = self.experiment_by_id(experiment_id)
        if (found["lifecycle_stage"] == DELETED_STAGE) is not deleted:
            self._post(f"experiments/{'delete' if deleted else 'restore'}", {"experiment_id": experiment_id})

    def _delete(self, path: str, body: dict[str, Any]) -> None:
        """Send a deletion. What is not there is deleted."""
        with suppress(NotFound):
            self._call("DELETE", path, body=body)


@cache
def _removals_at(uri: str, timeout: float = TIMEOUT_SECONDS) -> Removals:
    return Removals(uri, timeout)
