"""`python -m trainer code`: one attempt of a run of people's own code, from the archive to the exit code.

The variable CODE_RUN has the request, and MLFLOW_RUN_ID the run, which the API has created. The job may not write to
the jobs table. So a failure's reason is a tag of the MLflow run, where the handler of Batch's events finds it.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from mlops.domain.code_run import ERROR_TAG, RunRequest
from mlops.domain.errors import PlatformError
from mlops.registry.runs import Runs
from trainer import process
from trainer.data import sources
from trainer.errors import Interrupted, ParameterError, reason_of
from trainer.log import log_event
from trainer.own_code import archive, requirements, variables
from trainer.own_code.checkpoints import CheckpointFolder
from trainer.own_code.script import Script
from trainer.stop import EXIT_CODE, Stop

SAVE_SECONDS = 10.0
"""Seconds between two copies of checkpoints."""
MAX_REASON = 2000


def main(stop: Stop, environment: Mapping[str, str] = os.environ) -> int:
    """Run the script and return the exit code: 0, 1 if it failed, or 143 if it was stopped and can go on."""
    try:
        with tempfile.TemporaryDirectory(dir=process.temporary_folder(), ignore_cleanup_errors=True) as folder:
            reason = _run(_request(environment), Path(folder), stop, environment)
    except Interrupted:
        return EXIT_CODE
    except Exception as error:
        reason = reason_of(error)
    if reason is None:
        log_event("script.completed")
        return 0
    _report(reason, environment)
    return 1


def _request(environment: Mapping[str, str]) -> RunRequest:
    try:
        return RunRequest.model_validate_json(environment.get("CODE_RUN", ""))
    except ValidationError as error:
        raise ParameterError(f"the variable CODE_RUN cannot be read: {error.errors()[0]['msg']}") from error


def _run(request: RunRequest, folder: Path, stop: Stop, environment: Mapping[str, str]) -> str | None:
    """Do one attempt. Return why the script has failed, or None.

    Raises:
        Interrupted: SIGTERM came; what the script has kept is saved.
        TrainingError, DataError: The script could not be started.
    """
    code, packages, checkpoints = folder / "code", folder / "packages", folder / "checkpoints"
    code.mkdir()
    archive.fetch(environment["ARTIFACT_BUCKET"], request.code, code)
    script = archive.path_in(code, request.script, "script")
    if request.requirements:
        requirements.install(
            archive.path_in(code, request.requirements, "requirements file"), packages, folder, environment
        )
    _check(stop)
    address, dataset = _dataset(request, folder)
    _check(stop)
    kept = CheckpointFolder(checkpoints, environment["ARTIFACT_BUCKET"], environment["JOB_ID"])
    restored = kept.restore()
    _check(stop)
    log_event("script.started", script=request.script, attempt=environment.get("AWS_BATCH_JOB_ATTEMPT"), kept=restored)
    running = Script(
        script,
        variables.arguments(request.params),
        code,
        variables.of_script(
            request,
            environment,
            packages=packages,
            checkpoints=checkpoints,
            dataset=dataset,
            dataset_address=address,
        ),
    )
    exit_code = running.wait(stop.requested, kept.save, SAVE_SECONDS)
    if stop.requested():
        # Even if it ended well: it may have done so because of the signal. The next attempt finds out.
        kept.save()
        raise Interrupted
    if exit_code == 0:
        kept.forget()
        return None
    return running.failure(exit_code)


def _dataset(request: RunRequest, folder: Path) -> tuple[str | None, Path | None]:
    """Copy the data set of the request, and return its address and its path. A prefix becomes a folder.

    Raises:
        DataError, Unreachable: It cannot be read.
    """
    if request.dataset is None:
        return None, None
    address = sources.resolved(request.dataset)
    target = folder / "dataset"
    target.mkdir()
    if address.endswith("/"):
        sources.fetch_below(address, target)
    else:
        target /= sources.path(address).rpartition("/")[2]
        target.write_bytes(sources.read(address))
    log_event("dataset.fetched", address=address)
    return address, target


def _check(stop: Stop) -> None:
    if stop.requested():
        raise Interrupted


def _report(reason: str, environment: Mapping[str, str]) -> None:
    """Print why the run has failed, and write it to the MLflow run, as far as that answers."""
    log_event("script.failed", reason=reason)
    print(f"error: {reason}", file=sys.stderr)
    try:
        Runs.from_environment().set_run_tag(environment["MLFLOW_RUN_ID"], ERROR_TAG, reason[:MAX_REASON])
    except (PlatformError, KeyError) as error:
        log_event("trainer.report_lost", reason=str(error))
