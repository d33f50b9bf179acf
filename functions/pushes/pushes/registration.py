"""Register versions that another stack has trained. Until all their files are here, nothing of them is registered."""

from typing import Any

from mlops.api.idempotency import once
from mlops.api.schemas.pushes import PushedFile, PushRequest, PushState, PushUpload
from mlops.aws.pushed_files import PushedFiles
from mlops.domain.artifacts import ELSEWHERE, logged_folder
from mlops.domain.bin import TAG
from mlops.domain.errors import Conflict
from mlops.registry.pushed_runs import PUSH_TAG, PushedRuns
from mlops.registry.rest import TrackingRefused

KEPT_SECONDS = 60
"""For how long the result of a registration is kept for others who push the same at the same time."""
_VERSION_TAGS = ("dataset_digest", "objective", "direction", "task")
_OF_THE_SOURCE = ("mlops.job_id", "mlops.model_uri", "mlops.code", PUSH_TAG)
"""Tags of a run that name what only its own stack has."""


class Registrations:
    """Registers pushed versions."""

    def __init__(self, runs: PushedRuns, files: PushedFiles) -> None:
        self._runs, self._files = runs, files

    @classmethod
    def from_environment(cls) -> "Registrations":
        return cls(PushedRuns.from_environment(), PushedFiles.from_environment())

    def push(self, name: str, request: PushRequest, actor: str, context: Any) -> PushState:
        """Register a version if all its files were uploaded; else say which are missing.

        A version with the same file is there once, however often it is pushed.

        Args:
            name: The registered model.
            request: The version, and where it comes from.
            actor: The name of the API key that pushes it.
            context: Lambda's context.

        Raises:
            Conflict: The same push is carried out at this moment, the experiment was deleted here, or a version with
                this file is in the bin.
            DependencyUnavailable: MLflow does not answer.
        """
        if (there := self._runs.pushed(name, request.digest, request.file_sha256)) is not None:
            if TAG in there.tags:
                raise Conflict(
                    f"Version {there.version} of {name!r} has this file and is in the bin: restore it with POST "
                    f"/models/{name}/versions/{there.version}/restore"
                )
            return PushState(version=there.version, created=False, sha256=request.file_sha256)
        folder = f"{name}/{request.digest}"
        missing = self._files.missing(folder, request.contents)
        if missing:
            addresses = {sha256: self._files.upload(folder, sha256, request.contents[sha256]) for sha256 in missing}
            uploads = [
                PushUpload(sha256=sha256, url=upload.url, headers=dict(upload.headers))
                for sha256, upload in addresses.items()
            ]
            return PushState(version=None, created=False, sha256=request.file_sha256, uploads=uploads)
        registered = once(
            lambda: {"version": self._register(name, request, actor, folder)},
            caller="",  # whoever pushes it: it is the same version
            route=f"pushes/{name}",
            key=request.digest,
            body={},
            context=context,
            kept_seconds=KEPT_SECONDS,
        )
        return PushState(version=registered["version"], created=True, sha256=request.file_sha256)

    def _register(self, name: str, request: PushRequest, actor: str, folder: str) -> int:
        """Write the run, then the model, then the version: what comes later refers to what came before."""
        source = request.source
        origin = f"{source.stack} {name} version {source.version}"
        if request.file_sha256 is not None:
            origin += f", sha256 {request.file_sha256}"
        kept = {key: value for key, value in request.tags.items() if key not in _OF_THE_SOURCE}
        lineage = {"mlops.pushed_from": origin, "mlops.pushed_run": source.run_id}
        tags = {**kept, **lineage, "mlflow.user": actor, "mlflow.source.name": source.stack}
        try:
            run = self._runs.open(request.experiment_name, request.run_name, request.digest, tags)
        except TrackingRefused as error:
            raise Conflict(
                f"MLflow refused a run in the experiment {request.experiment_name!r}, probably because it was deleted "
                "here: restore it in MLflow, then push again"
            ) from error
        self._runs.log(run.run_id, request.params, request.metrics)
        places = ((run.model_uri, request.model), (run.artifact_uri, request.artifacts))
        self._files.copy(folder, [pair for uri, files in places for pair in self._placed(uri, files)])
        self._runs.finish(run)
        version_tags = {key: kept[f"mlops.{key}"] for key in _VERSION_TAGS if f"mlops.{key}" in kept}
        version_tags |= {"stage": "Registered", "pushed_from": origin, PUSH_TAG: request.digest}
        if request.file_sha256 is not None:
            version_tags["sha256"] = request.file_sha256
        return self._runs.register(name, run.run_id, run.model_id, version_tags).version

    def _placed(self, uri: str, files: list[PushedFile]) -> list[tuple[str, str]]:
        prefix = logged_folder(uri, self._files.bucket)
        if prefix is None:
            raise Conflict(ELSEWHERE)
        return [(file.sha256, prefix + file.path) for file in files]
