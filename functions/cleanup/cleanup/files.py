"""The files in the bucket that belong to a version or a run, and to nothing else.

A version can be registered with any address. So only folders of the form that MLflow itself gives are ever removed, and
only if they belong to the run that has made the version.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any

from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.artifacts import logged_folder, run_folder
from mlops.domain.conversion import PREFIX as CONVERSIONS
from mlops.domain.errors import NotFound
from mlops.domain.manifest import explain_key, model_key
from mlops.domain.model_name import is_servable
from mlops.registry.removals import Removals
from mlops.registry.rest import Version
from mlops_contract.file_names import EXPLAIN_FILE, PROOF_FILE

MODEL_ID = r"m-[0-9a-f]{32}"
_MODEL_FOLDER = re.compile(rf"mlflow/[0-9]+/models/{MODEL_ID}/artifacts/")


class Files:
    """Finds the prefixes of keys to remove."""

    def __init__(self, tracking: Removals, transitions: TransitionsTable, bucket: str) -> None:
        self._tracking, self._transitions, self._bucket = tracking, transitions, bucket

    def of_version(self, version: Version, others: Collection[Version]) -> Iterator[str]:
        """Yield what belongs to a version alone: what is served, converted, logged, and the rows of its proof.

        Args:
            version: The version.
            others: All versions that stay, of all models.
        """
        name = version.model_name
        if is_servable(name):
            siblings = [other for other in others if other.model_name == name]
            for sha256 in self._hashes(version) - {found for each in siblings for found in self._hashes(each)}:
                yield from (model_key(name, sha256), explain_key(name, sha256))
            yield f"{CONVERSIONS}{name}/{version.version}/"
        run = self._run(version.run_id)
        if run is not None and all(other.run_id != version.run_id for other in others):
            folder = run_folder(run, self._bucket)
            if folder is not None:
                yield from (folder + PROOF_FILE, folder + EXPLAIN_FILE)
        model_id = version.source.removeprefix("models:/")
        if model_id != version.source and all(other.source != version.source for other in others):
            model = self._tracking.logged_model(model_id)
            if model is not None and model.get("source_run_id") == version.run_id:
                yield from self._of_model(model)

    def of_run(self, run: dict[str, Any]) -> Iterator[str]:
        """Yield what belongs to a run that has no version: its folder, and those of the models that it has logged."""
        folder = run_folder(run, self._bucket)
        if folder is not None:
            yield folder
        for model in self._tracking.logged_models(str(run["experiment_id"])):
            if model.get("source_run_id") == run["run_id"]:
                yield from self._of_model(model)

    def _of_model(self, model: dict[str, Any]) -> Iterator[str]:
        folder = logged_folder(model.get("artifact_uri", ""), self._bucket) or ""
        if _MODEL_FOLDER.fullmatch(folder) and folder.split("/")[3] == model["model_id"]:
            yield folder

    def _hashes(self, version: Version) -> set[str]:
        """Return the hashes by which a version may be in `serving/`: as registered, and as admitted."""
        admitted = self._transitions.admission(version.model_name, version.version, version.created_at)
        return {found for found in (version.tags.get("sha256"), admitted) if found}

    def _run(self, run_id: str) -> dict[str, Any] | None:
        try:
            return self._tracking.run_info(run_id) if run_id else None
        except NotFound:
            return None
