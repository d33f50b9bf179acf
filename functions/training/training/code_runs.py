"""Start runs of people's own code: their archive, their MLflow run, and their Batch job."""

from contextlib import suppress
from functools import cache

from mlops.api.schemas.code import CodeUpload
from mlops.api.schemas.training import TrainAccepted
from mlops.aws.batch import Batch, SubmissionRefused, check_length
from mlops.aws.code_archives import CodeArchives
from mlops.aws.jobs_table import JobsTable
from mlops.domain import objective as objectives
from mlops.domain.code_run import MAX_ARCHIVE_BYTES, CodeUploadRequest, RunRequest
from mlops.domain.errors import Conflict, DependencyUnavailable, Forbidden, PlatformError, ValidationFailed
from mlops.domain.job import Job
from mlops.domain.sweep import job_id
from mlops.registry.rest import TrackingRefused
from mlops.registry.runs import Runs
from training.admission import Admission
from training.checks import bucket_errors, cost_errors, resource_errors
from training.settings import TrainingSettings

REMEDY = "`params`"
"""What to shorten in a request that is too long for the variables of a job."""


class CodeRuns:
    """Starts runs of people's own code, if the stack allows it."""

    def __init__(
        self, settings: TrainingSettings, jobs: JobsTable, batch: Batch, archives: CodeArchives, runs: Runs
    ) -> None:
        self._settings, self._jobs, self._batch, self._archives, self._runs = settings, jobs, batch, archives, runs
        self._admission = Admission(jobs, settings.max_active_jobs)

    @classmethod
    def from_environment(cls) -> "CodeRuns":
        return _code_runs()

    def upload(self, request: CodeUploadRequest) -> CodeUpload:
        """Return where to upload an archive, unless it is there already. Raises Forbidden."""
        self._check_allowed()
        if self._archives.size(request.sha256) == request.size:
            return CodeUpload(code=request.sha256, url=None)
        upload = self._archives.upload(request.sha256, request.size)
        return CodeUpload(code=request.sha256, url=upload.url, headers=dict(upload.headers))

    def start(self, request: RunRequest, actor: str, request_id: str | None = None) -> TrainAccepted:
        """Start a run of a script.

        Args:
            request: What to run.
            actor: The name of the API key that requests it.
            request_id: Passed to the job, so that one search of the logs finds both.

        Raises:
            Forbidden: The stack allows no code of people's own.
            ValidationFailed: A field is wrong, or the archive was not uploaded.
            Conflict: Too many jobs are active, or the experiment was deleted.
            DependencyUnavailable: MLflow or AWS Batch does not answer, or Batch refuses the job.
        """
        self._check_allowed()
        self._check(request)
        # The longest values that the variables will have.
        check_length(_environment("job_" + 18 * "0", 32 * "0", request, request_id), REMEDY)
        self._admission.check_room(1)
        identifier = job_id(self._jobs.reserve())
        job = Job(
            identifier,
            experiment_name=request.experiment_name,
            request=request.model_dump(mode="json", exclude_none=True),
            actor=actor,
            request_id=request_id,
            params=request.params,
            epochs=request.epochs,
        )
        self._admission.submit([job], lambda: self._submit(identifier, request, actor, request_id))
        return TrainAccepted(
            message=f"The run is queued; GET /train/status/{identifier} shows its progress",
            job_id=identifier,
            experiment_name=request.experiment_name,
            status="pending",
        )

    def _check_allowed(self) -> None:
        if not self._settings.code_job_definition:
            raise Forbidden(
                "This stack does not run people's own code. An operator can allow it with the parameter OwnCode; "
                "docs/own-code.md says what that means"
            )

    def _check(self, request: RunRequest) -> None:
        errors = [
            *resource_errors(request.resources, self._settings),
            *cost_errors(request.resources, self._settings),
        ]
        if request.resources is not None and request.resources.gpu:
            errors.append(("resources.gpu", "must be 0: people's own code does not run on the machines with GPUs"))
        if request.dataset is not None:
            errors += bucket_errors(request.dataset, self._settings)
        size = self._archives.size(request.code)
        if size is None:
            errors.append(("code", "there is no such archive; upload it first: POST /code says where to"))
        elif size > MAX_ARCHIVE_BYTES:
            errors.append(("code", f"the archive has {size} bytes, and at most {MAX_ARCHIVE_BYTES} are allowed"))
        if errors:
            raise ValidationFailed.of_fields(errors)

    def _submit(self, identifier: str, request: RunRequest, actor: str, request_id: str | None) -> str:
        """Create the MLflow run, submit the job, and return Batch's id.

        The run is in the record before Batch has the job: whatever ends the job then ends the run too.
        """
        run_id = self._create_run(identifier, request, actor)
        self._jobs.update(identifier, run_id=run_id)
        try:
            environment = _environment(identifier, run_id, request, request_id)
            return self._batch.submit_code(identifier, environment, request.resources)
        except SubmissionRefused:
            with suppress(PlatformError):
                self._runs.end_run(run_id, "FAILED")
            raise

    def _create_run(self, identifier: str, request: RunRequest, actor: str) -> str:
        tags = {
            "mlops.job_id": identifier,
            "mlops.code": request.code,
            "mlops.script": request.script,
            "mlflow.user": actor,
            "mlflow.source.type": "JOB",
            "mlflow.source.name": request.script,
        }
        if request.objective is not None:
            named = objectives.named(request.objective, request.direction)
            tags |= {f"mlops.{name}": value for name, value in named.tags.items()}
        try:
            return self._runs.create_run(request.experiment_name, request.run_name or identifier, tags)
        except TrackingRefused as error:
            self._jobs.delete(identifier)
            raise Conflict(
                f"MLflow refused a run in the experiment {request.experiment_name!r}, probably because it was deleted: "
                "restore it in MLflow, or choose another experiment_name"
            ) from error
        except DependencyUnavailable as error:
            raise SubmissionRefused(f"{error.detail}; nothing was started") from error


def _environment(identifier: str, run_id: str, request: RunRequest, request_id: str | None) -> dict[str, str]:
    """Return the variables of the job, from which `trainer.own_code` knows what to run."""
    environment = {
        "JOB_ID": identifier,
        "CODE_RUN": request.model_dump_json(exclude_none=True, exclude={"resources"}),
        "MLFLOW_RUN_ID": run_id,
    }
    return environment | ({"REQUEST_ID": request_id} if request_id else {})


@cache
def _code_runs() -> CodeRuns:
    settings = TrainingSettings.from_environment()
    archives = CodeArchives.of_bucket(settings.artifact_bucket)
    return CodeRuns(settings, JobsTable.from_environment(), Batch.from_environment(), archives, Runs.from_environment())
