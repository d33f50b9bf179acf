"""Push a version from one stack to another. Both are asked over HTTP only."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_client.client import Client
from mlops_client.errors import BadInput, Forbidden, MlopsError, NotFound
from mlops_client.finding import find_runs
from mlops_client.models import ArtifactFile, ModelVersion, RunDetail

MLMODEL, MODEL_FILE = "MLmodel", "model.onnx"
ROUNDS = 3
"""How often the contents that are missing are uploaded: once, unless somebody removes them meanwhile."""
_TAG = re.compile(r"mlops\.[a-z0-9_.]{1,100}")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Pushed:
    """A version that was pushed.

    Attributes:
        model_name: The registered model, on both stacks.
        source_version: Its number on the stack that it is from.
        version: Its number on the other stack.
        created: Whether it was registered there now; false if it was there before.
        sha256: SHA-256 of its ONNX file; None if it has to be converted there first.
    """

    model_name: str
    source_version: int
    version: int
    created: bool
    sha256: str | None


@dataclass(frozen=True)
class _Content:
    """A file that was downloaded: where its run or its model has it, and where it lies now."""

    path: str
    sha256: str
    file: Path

    @property
    def document(self) -> dict[str, Any]:
        return {"path": self.path, "sha256": self.sha256, "size": self.file.stat().st_size}


def push(
    source: Client,
    target: Client,
    model_name: str,
    version: int,
    *,
    experiment: str | None = None,
    say: Say | None = None,
) -> Pushed:
    """Register a version of one stack on another one, with its files, its parameters and its metrics.

    It can be repeated: the same version is registered once, and nothing is registered before all files are there.

    Args:
        source: The stack that has the version.
        target: The stack that gets it. Its key needs the role train, for the model and the experiment.
        model_name: The registered model, on both stacks.
        version: The version's number on `source`.
        experiment: The experiment of its run, where it is known. It has the same name on `target`.
        say: Called with a sentence for each step.

    Raises:
        BadInput: There is no such version, or it has no run or no files.
        Forbidden: A key does not allow it.
        MlopsError: The other stack is of a version that takes no pushes.
    """
    say = say or (lambda text: None)
    known = _version(source, model_name, version)
    if not known.run_id:
        raise BadInput(f"{model_name} version {version} has no run, so its files are not known: register it from a run")
    experiment, (run_id,) = find_runs(source, [known.run_id], experiment)
    run = source.run(experiment, run_id)
    with tempfile.TemporaryDirectory() as folder:
        files = source.artifacts(experiment, run_id)
        say(f"reads {len(files)} files of {model_name} version {version} from {source.url}")
        contents = [_downloaded(source, file, Path(folder) / str(number)) for number, file in enumerate(files)]
        model, others = _divided(contents, known, model_name)
        document = {**_described(source, known, run), **_files(model, others)}
        by_hash = {each.sha256: each.file for each in (*model, *others)}
        for _ in range(ROUNDS):
            state = _received(target, model_name, document)
            if state.version is not None:
                return Pushed(model_name, version, state.version, state.created, state.sha256)
            say(f"sends {len(state.uploads)} files to {target.url}")
            for upload in state.uploads:
                with by_hash[upload.sha256].open("rb") as content:
                    target.transport.upload(upload.url, content, upload.headers)
    raise MlopsError(f"{target.url} still misses files that were sent to it; push again")


def _version(source: Client, model_name: str, version: int) -> ModelVersion:
    found = next((each for each in source.model(model_name).versions if each.version == version), None)
    if found is None:
        raise BadInput(f"there is no {model_name} version {version}; list the versions: mlops models {model_name}")
    return found


def _downloaded(source: Client, file: ArtifactFile, place: Path) -> _Content:
    content = source.transport.download(file.url)
    place.write_bytes(content)
    return _Content(file.path, hashlib.sha256(content).hexdigest(), place)


def _divided(contents: list[_Content], version: ModelVersion, model_name: str) -> tuple[list[_Content], list[_Content]]:
    """Return the files of the version's model, by their paths in its folder, and the other files of the run.

    Raises:
        BadInput: The run has no model, or several, and none of them is the version's.
    """
    name = f"{model_name} version {version.version}"
    folders = [each.path.removesuffix(MLMODEL) for each in contents if f"/{each.path}".endswith(f"/{MLMODEL}")]
    served = {folder: each.sha256 for folder in folders for each in contents if each.path == f"{folder}{MODEL_FILE}"}
    fitting = [folder for folder in folders if served.get(folder, version.sha256) == version.sha256] or (
        folders if version.sha256 is None else []
    )
    if len(fitting) != 1:
        found = ", ".join(folders) or "no model"
        raise BadInput(
            f"the run of {name} has {found}, and none or several of them can be its file with the SHA-256 "
            f"{version.sha256}: log the model again, in a run of its own, and push that version"
        )
    (folder,) = fitting
    model = [
        _Content(each.path.removeprefix(folder), each.sha256, each.file)
        for each in contents
        if each.path.startswith(folder)
    ]
    return model, [each for each in contents if not each.path.startswith(folder)]


def _described(source: Client, version: ModelVersion, run: RunDetail) -> dict[str, Any]:
    tags = {key: value for key, value in run.tags.items() if _TAG.fullmatch(key)}
    return {
        "source": {"stack": source.url, "version": version.version, "run_id": run.run_id},
        "experiment_name": run.experiment_name,
        "run_name": run.run_name,
        "params": run.params,
        "metrics": run.metrics,
        "tags": tags,
    }


def _files(model: Iterable[_Content], others: Iterable[_Content]) -> dict[str, Any]:
    return {"model": [each.document for each in model], "artifacts": [each.document for each in others]}


def _received(target: Client, model_name: str, document: dict[str, Any]) -> Any:
    try:
        return target.receive_push(model_name, document)
    except NotFound as error:
        raise MlopsError(
            f"{target.url} is version {target.health().version} of the platform, which takes no pushes: update that "
            "stack first"
        ) from error
    except Forbidden as error:
        raise Forbidden(
            error.status,
            {
                "code": error.code,
                "detail": f"{target.url} refuses the key for it: {error.detail}. A push needs a key of that stack with "
                f"the role train, for the model {model_name} and its experiment",
                "request_id": error.request_id,
            },
        ) from error
