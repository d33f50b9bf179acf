"""MLflow in memory, as far as deleting uses it: models, experiments and runs. Each change is counted."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from mlops.domain.bin import TAG
from mlops.domain.errors import NotFound
from mlops.domain.timestamps import now
from mlops.registry.rest import RegisteredModel, Version
from tests.support.crashes import Effects


@dataclass
class Registered:
    """A model: its aliases, whether lists leave it out, and its versions. Deleted ones are None."""

    aliases: dict[str, int] = field(default_factory=dict)
    hidden: bool = False
    versions: dict[int, Version | None] = field(default_factory=dict)


class FakeRegistry:
    """Has what `Removals` has."""

    def __init__(self, effects: Effects, bucket: str) -> None:
        self._effects, self._bucket = effects, bucket
        self.registered: dict[str, Registered] = {}
        self.experiments_by_id: dict[str, dict[str, Any]] = {}
        self.run_infos: dict[str, dict[str, Any]] = {}
        self.models_of_runs: dict[str, dict[str, Any]] = {}
        self.data_of_runs: dict[str, list[tuple[str, str]]] = {}
        self.tags_of_runs: dict[str, dict[str, str]] = {}

    # What tests put there

    def add_version(self, name: str, run_id: str = "", model_id: str = "", **tags: str) -> int:
        model = self.registered.setdefault(name, Registered())
        number = len(model.versions) + 1
        source = f"models:/{model_id}" if model_id else ""
        given = {"stage": "Registered", **tags}
        model.versions[number] = Version(name, number, run_id, source, given, "None", now())
        return number

    def add_experiment(self, name: str) -> str:
        number = str(len(self.experiments_by_id) + 1)
        self.experiments_by_id[number] = {"experiment_id": number, "name": name, "lifecycle_stage": "active"}
        return number

    def add_run(self, experiment_id: str, run_id: str, status: str = "FINISHED") -> str:
        self.run_infos[run_id] = {
            "run_id": run_id,
            "experiment_id": experiment_id,
            "status": status,
            "lifecycle_stage": "active",
            "artifact_uri": f"s3://{self._bucket}/mlflow/{experiment_id}/{run_id}/artifacts",
        }
        return run_id

    def log_data(self, run_id: str, name: str, digest: str) -> None:
        self.data_of_runs.setdefault(run_id, []).append((name, digest))

    def log_model(self, run_id: str, model_id: str) -> str:
        experiment = self.run_infos[run_id]["experiment_id"]
        address = f"s3://{self._bucket}/mlflow/{experiment}/models/{model_id}/artifacts"
        self.models_of_runs[model_id] = {"model_id": model_id, "source_run_id": run_id, "artifact_uri": address}
        return model_id

    def hidden(self, name: str) -> list[int]:
        """The versions that lists leave out."""
        return [each.version for each in self.hidden_versions() if each.model_name == name]

    # What Removals has

    def model(self, name: str) -> RegisteredModel:
        if name not in self.registered:
            raise NotFound("The model registry has no such registered model")
        return RegisteredModel(name, dict(self.registered[name].aliases))

    def models(self) -> Iterator[RegisteredModel]:
        yield from [self.model(name) for name in self.registered]

    def version(self, name: str, version: int) -> Version:
        found = self.registered[name].versions.get(version) if name in self.registered else None
        if found is None:
            raise NotFound("The model registry has no such model version")
        return found

    def versions(self, name: str | None = None) -> Iterator[Version]:
        for model_name, model in self.registered.items():
            if name in (None, model_name):
                yield from [version for version in model.versions.values() if version is not None]

    def versions_of_run(self, run_id: str) -> list[Version]:
        return [version for version in self.versions() if version.run_id == run_id]

    def artifact_uri(self, name: str, version: int) -> str:
        source = self.version(name, version).source
        model = self.models_of_runs.get(source.removeprefix("models:/"))
        return str(model["artifact_uri"]) if model else source

    def hide_version(self, name: str, version: int) -> None:
        self._tag(name, version, {**self.version(name, version).tags, TAG: "true"})

    def show_version(self, name: str, version: int) -> None:
        try:
            tags = self.version(name, version).tags
        except NotFound:
            return
        self._tag(name, version, {key: value for key, value in tags.items() if key != TAG})

    def hide_model(self, name: str) -> None:
        self.model(name)
        self.registered[name].hidden = True
        self._effects.happened("hide_model")

    def show_model(self, name: str) -> None:
        if name in self.registered:
            self.registered[name].hidden = False
        self._effects.happened("show_model")

    def hidden_versions(self) -> Iterator[Version]:
        yield from [version for version in self.versions() if TAG in version.tags]

    def delete_version(self, name: str, version: int) -> None:
        self.registered[name].versions[version] = None
        self._effects.happened("delete_version")

    def experiment(self, name_or_id: str) -> dict[str, Any]:
        for found in self.experiments_by_id.values():
            if name_or_id in (found["name"], found["experiment_id"]):
                return dict(found)
        raise NotFound(f"There is no experiment {name_or_id!r}")

    def experiments(self) -> Iterator[dict[str, Any]]:
        yield from map(dict, self.experiments_by_id.values())

    def runs(self, experiment_id: str) -> Iterator[dict[str, Any]]:
        yield from [dict(info) for info in self.run_infos.values() if info["experiment_id"] == experiment_id]

    def run_info(self, run_id: str) -> dict[str, Any]:
        if run_id not in self.run_infos:
            raise NotFound("The model registry has no such run")
        return dict(self.run_infos[run_id])

    def runs_of_data(self, attribute: str, value: str) -> Iterator[dict[str, Any]]:
        for run_id, logged in self.data_of_runs.items():
            if value in {each[attribute == "digest"] for each in logged}:
                datasets = [{"dataset": {"name": name, "digest": digest}} for name, digest in logged]
                tags = [{"key": key, "value": text} for key, text in self.tags_of_runs.get(run_id, {}).items()]
                info = dict(self.run_infos[run_id])
                yield {"info": info, "data": {"tags": tags}, "inputs": {"dataset_inputs": datasets}}

    def set_run_tag(self, run_id: str, key: str, value: str) -> None:
        assert self.run_infos[run_id]["lifecycle_stage"] == "active", "MLflow changes no deleted run"
        self.tags_of_runs.setdefault(run_id, {})[key] = value
        self._effects.happened("set_run_tag")

    def experiment_by_id(self, experiment_id: str) -> dict[str, Any]:
        if experiment_id not in self.experiments_by_id:
            raise NotFound("The model registry has no such experiment")
        return dict(self.experiments_by_id[experiment_id])

    def logged_model(self, model_id: str) -> dict[str, Any] | None:
        found = self.models_of_runs.get(model_id)
        return dict(found) if found else None

    def logged_models(self, experiment_id: str) -> Iterator[dict[str, Any]]:
        for model in self.models_of_runs.values():
            run = self.run_infos.get(model["source_run_id"])
            if run is not None and run["experiment_id"] == experiment_id:
                yield dict(model)

    def set_run_deleted(self, run_id: str, deleted: bool) -> None:
        self.run_info(run_id)
        self.run_infos[run_id]["lifecycle_stage"] = "deleted" if deleted else "active"
        self._effects.happened("set_run_deleted")

    def set_experiment_deleted(self, experiment_id: str, deleted: bool) -> None:
        self.experiments_by_id[experiment_id]["lifecycle_stage"] = "deleted" if deleted else "active"
        for info in self.run_infos.values():  # as MLflow does, whatever they were before
            if info["experiment_id"] == experiment_id:
                info["lifecycle_stage"] = "deleted" if deleted else "active"
        self._effects.happened("set_experiment_deleted")

    def _tag(self, name: str, version: int, tags: dict[str, str]) -> None:
        self.registered[name].versions[version] = replace(self.version(name, version), tags=tags)
        self._effects.happened("tag")
