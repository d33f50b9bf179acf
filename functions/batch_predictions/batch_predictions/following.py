"""Follow and cancel batch predictions, and give out the addresses of their files."""

from batch_predictions.dependencies import Dependencies
from batch_predictions.views import state_of
from mlops.api.auth import Caller, authorise_own, require_name
from mlops.api.schemas.batch_predictions import (
    BatchPredictionFileList,
    BatchPredictionList,
    BatchPredictionState,
    DataUpload,
    ServedModelFile,
    SignedFile,
)
from mlops.domain.addresses import bucket_of, key_of
from mlops.domain.batch_prediction import INPUT_FOLDER, BatchPrediction, DataUploadRequest
from mlops.domain.errors import Conflict, Gone, ValidationFailed
from mlops.domain.job import JobStatus
from mlops_contract.table_files import FileRefused, format_of


class BatchPredictions(Dependencies):
    """The batch predictions that were started."""

    def state(self, batch_id: str, caller: Caller) -> BatchPredictionState:
        """Return how far one is. Raises NotFound, and Forbidden if the key is not for its model."""
        return self._state(self._of(batch_id, caller))

    def page(self, limit: int, cursor: str | None, caller: Caller) -> BatchPredictionList:
        """Return a page of those that the key is for, newest first. Raises ValidationFailed for an invalid cursor."""
        page = self.table.page(limit, cursor, caller.models)
        return BatchPredictionList(
            batch_predictions=[self._state(record) for record in page.records], next_cursor=page.next_cursor
        )

    def cancel(self, batch_id: str, caller: Caller) -> BatchPredictionState:
        """Cancel one.

        Raises:
            NotFound: There is none of this id.
            Forbidden: Another key has started it, and the caller is no admin; or the key is not for its model.
            Conflict: It has ended.
        """
        record = self._of(batch_id, caller)
        authorise_own(caller, record.actor, batch_id)
        if record.status.has_ended:
            raise Conflict(f"{batch_id} has already ended ({record.status}) and cannot be cancelled")
        self.table.request_cancel(batch_id)
        if record.batch_job_id is not None:  # else reconcile stops it, as soon as the id is known
            self.batch.stop(record.batch_job_id, "cancelled through the API")
        return self.state(batch_id, caller)

    def written_files(self, batch_id: str, caller: Caller) -> BatchPredictionFileList:
        """Return the files of the answers, with addresses.

        Raises:
            NotFound: There is none of this id.
            Forbidden: The key is not for its model.
            Conflict: It has not completed.
            Gone: They were deleted.
        """
        record = self._of(batch_id, caller)
        if record.files_deleted_at is not None:
            raise Gone(
                f"The files of {batch_id} were deleted by {record.files_deleted_by} at {record.files_deleted_at}; "
                "score the input again"
            )
        if record.status is not JobStatus.COMPLETED:
            raise Conflict(f"{batch_id} is {record.status}; only what has completed has files that are whole")
        bucket, prefix = bucket_of(record.output), key_of(record.output)
        written = [file for shard in self.table.shards(batch_id) for file in shard.files]
        return BatchPredictionFileList(
            files=[
                SignedFile(
                    name=file.key.removeprefix(prefix),
                    size=file.size,
                    url=self.files.download_address(bucket, file.key),
                )
                for file in written
            ]
        )

    def upload(self, request: DataUploadRequest) -> DataUpload:
        """Return where to upload a file, unless it is there already. Raises ValidationFailed."""
        try:
            format_of(request.name)
        except FileRefused as error:
            raise ValidationFailed.of_field("name", str(error)) from error
        key = f"{INPUT_FOLDER}uploads/{request.sha256}/{request.name}"
        address = f"s3://{self.settings.artifact_bucket}/{key}"
        if self.files.has(key, request.size):
            return DataUpload(input=address, url=None)
        place = self.files.upload(key, request.sha256, request.size)
        return DataUpload(input=address, url=place.url, headers=dict(place.headers))

    def model_file(self, name: str, stage: str) -> ServedModelFile:
        """Return an address of the file that serves a stage. Raises NoModelInStage, DependencyUnavailable."""
        manifest = self.models.manifest(name, stage)
        return ServedModelFile(
            model_name=manifest.model_name,
            model_version=manifest.model_version,
            stage=manifest.stage,
            sha256=manifest.sha256,
            size=manifest.size,
            url=self.files.download_address(self.files.bucket, manifest.key),
        )

    def _of(self, batch_id: str, caller: Caller) -> BatchPrediction:
        record = self.table.get(batch_id)
        require_name(caller, record.model_name)
        return record

    def _state(self, record: BatchPrediction) -> BatchPredictionState:
        shards = [] if record.status.has_ended else self.table.shards(record.batch_id)
        return state_of(record, shards, self.settings.scoring_vcpu)
