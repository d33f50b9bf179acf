"""Start and follow imports of labels. A job of AWS Batch reads the files, and takes labels as POST /feedback does."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache

from mlops.api.auth import Caller, require_name
from mlops.api.schemas.label_imports import LabelImportList, LabelImportState, LabelImportStatus
from mlops.aws.batch import Batch, BatchSettings, SubmissionRefused
from mlops.aws.batch_job import ENDED, BatchJob
from mlops.aws.batch_prediction_files import BatchPredictionFiles, NotReadable
from mlops.aws.label_imports_table import LabelImportsTable
from mlops.domain.addresses import bucket_of, key_of
from mlops.domain.batch_prediction import not_an_input
from mlops.domain.errors import Conflict, ValidationFailed
from mlops.domain.feedback import label_files
from mlops.domain.feedback.label_import import LabelImport, LabelImportRequest, new_label_import_id
from mlops.domain.job import JobStatus
from mlops.domain.scoring_plan import InputFile
from mlops.settings import Settings
from mlops_contract.table_files import FileRefused

MAX_FILES = 100
"""The record has them all, and an item of DynamoDB has 400 kB."""
MAX_ACTIVE = 5
LOST_SECONDS = 600
"""After this time a job that Batch does not know is not there."""
_STATUSES: dict[JobStatus, LabelImportStatus] = {
    JobStatus.PENDING: "pending",
    JobStatus.RUNNING: "running",
    JobStatus.COMPLETED: "completed",
    JobStatus.FAILED: "failed",
}


@dataclass(frozen=True)
class ImportSettings(Settings):
    """Settings: the platform's bucket, further buckets of inputs (comma-separated), and where the jobs run."""

    artifact_bucket: str
    scoring_queue: str
    import_job_definition: str
    dataset_buckets: str = ""


class LabelImports:
    """The imports of labels."""

    def __init__(
        self, settings: ImportSettings, table: LabelImportsTable, files: BatchPredictionFiles, batch: Batch
    ) -> None:
        self._settings, self._table, self._files, self._batch = settings, table, files, batch

    @classmethod
    def from_environment(cls) -> "LabelImports":
        return _imports()

    def start(self, request: LabelImportRequest, actor: str, request_id: str | None) -> LabelImportState:
        """Start an import.

        Raises:
            ValidationFailed: The input is not allowed, has no files, or one of them has no labels.
            Conflict: Too many are active.
            DependencyUnavailable: A service does not answer, or AWS Batch refuses the job.
        """
        files = self._inputs(request.input)
        if sum(not self._settled(record).status.has_ended for record in self._table.under_way()) >= MAX_ACTIVE:
            raise Conflict(f"{MAX_ACTIVE} imports of labels are pending or running; wait until one has ended")
        record = LabelImport(
            import_id=new_label_import_id(),
            model_name=request.model_name,
            input=request.input,
            replace=request.replace,
            files=tuple(asdict(file) for file in files),
            actor=actor,
            request_id=request_id,
        )
        self._table.create(record)
        environment = {"LABEL_IMPORT_ID": record.import_id}
        if request_id:
            environment["REQUEST_ID"] = request_id
        try:
            batch_job_id = self._batch.submit(record.import_id, environment)
        except SubmissionRefused as error:  # after any other failure Batch may have the job
            self._table.finish(record.import_id, JobStatus.FAILED, error=str(error))
            raise
        self._table.submitted(record.import_id, batch_job_id)
        return self._state_of(record)

    def state(self, import_id: str, caller: Caller) -> LabelImportState:
        """Return how far one is. Raises NotFound, and Forbidden if the key is not for its model."""
        record = self._table.get(import_id)
        require_name(caller, record.model_name)
        return self._state_of(self._settled(record))

    def page(self, limit: int, cursor: str | None, caller: Caller) -> LabelImportList:
        """Return a page of those that the key is for, newest first. Raises ValidationFailed for an invalid cursor."""
        page = self._table.page(limit, cursor, caller.models)
        return LabelImportList(
            imports=[self._state_of(self._settled(record)) for record in page.records], next_cursor=page.next_cursor
        )

    def _inputs(self, address: str) -> list[InputFile]:
        if reason := not_an_input(address, self._settings.artifact_bucket, self._settings.dataset_buckets):
            raise ValidationFailed.of_field("input", reason)
        try:
            found = self._files.inputs(bucket_of(address), key_of(address), MAX_FILES)
            if not found:
                raise ValidationFailed.of_field("input", f"there are no files at {address}; a folder ends in /")
            if len(found) > MAX_FILES:
                raise ValidationFailed.of_field("input", f"has more than {MAX_FILES} files; put small files together")
            return self._files.pinned(found, lambda file, head: label_files.check_head(file.address, head))
        except (NotReadable, FileRefused) as error:
            raise ValidationFailed.of_field("input", str(error)) from error

    def _settled(self, record: LabelImport) -> LabelImport:
        """Return a record, after ending it if it is open and its job will not: a job that was killed could not."""
        if record.status.has_ended or (error := self._lost(record)) is None:
            return record
        self._table.finish(record.import_id, JobStatus.FAILED, error=error)
        return self._table.get(record.import_id)

    def _lost(self, record: LabelImport) -> str | None:
        """Return why a record that is open will not end by itself; None if its job is under way."""
        again = "import the file again: what was counted stays counted once"
        if record.batch_job_id is None:
            job_id = self._batch.find(record.import_id)
            if job_id is not None:
                self._table.submitted(record.import_id, job_id)
        else:
            job_id = record.batch_job_id
        job = next(iter(self._batch.describe([job_id])), None) if job_id else None
        if job is not None:
            if job["status"] not in ENDED:
                return None
            return f"its job ended without a result ({_reason(job)}); {again}"
        age = (datetime.now(UTC) - datetime.fromisoformat(record.created_at)).total_seconds()
        return f"AWS Batch does not have its job; {again}" if age > LOST_SECONDS else None

    def _state_of(self, record: LabelImport) -> LabelImportState:
        refused = record.refused_file
        return LabelImportState(
            import_id=record.import_id,
            status=_STATUSES[record.status],
            model_name=record.model_name,
            input=record.input,
            files=len(record.files),
            replace=record.replace,
            rows=record.rows,
            counts=dict(record.counts),
            refused_url=self._files.download_address(self._files.bucket, refused) if refused else None,
            actor=record.actor,
            error=record.error,
            created_at=record.created_at,
            started_at=record.started_at,
            completed_at=record.completed_at,
        )


def _reason(job: BatchJob) -> str:
    return job.get("container", {}).get("reason") or job.get("statusReason") or job["status"]


@cache
def _imports() -> LabelImports:
    settings = ImportSettings.from_environment()
    batch = Batch(BatchSettings(settings.scoring_queue, settings.import_job_definition))
    return LabelImports(settings, LabelImportsTable.from_environment(), BatchPredictionFiles.from_environment(), batch)
