"""Start batch predictions: check, plan, take the folder of the output, write the record, submit the job."""

from batch_predictions.checks import check_buckets, check_output, contract_of, input_files, output_taken
from batch_predictions.dependencies import Dependencies
from batch_predictions.views import state_of
from mlops.api.schemas.batch_predictions import BatchPredictionState
from mlops.aws.batch import SubmissionRefused
from mlops.aws.batch_prediction_files import NotReadable
from mlops.domain.addresses import bucket_of, key_of
from mlops.domain.batch_prediction import BatchPrediction, BatchPredictionRequest, new_batch_prediction_id
from mlops.domain.errors import Conflict, ValidationFailed
from mlops.domain.scoring_plan import ScoringPlan, shards_of

MEGABYTE = 1_000_000


class BatchPredictionStarts(Dependencies):
    """Starts batch predictions."""

    def start(self, request: BatchPredictionRequest, actor: str, request_id: str | None = None) -> BatchPredictionState:
        """Start a batch prediction.

        Args:
            request: What to do.
            actor: The name of the API key that requests it.
            request_id: Passed to the job, so that one search of the logs finds both.

        Raises:
            ValidationFailed: A field is wrong, a file cannot be scored, or the output's folder is not empty.
            NoModelInStage: No version of the model is in the stage.
            Conflict: Too many are active.
            DependencyUnavailable: A service does not answer, or AWS Batch refuses the job.
        """
        check_buckets(request, self.settings)
        manifest = self.models.manifest(request.model_name, request.stage)
        contract = contract_of(manifest)
        self._check_room()
        check_output(request, self.files)
        files = input_files(request, contract, self.files)
        plan = ScoringPlan(
            batch_id=new_batch_prediction_id(),
            model_name=manifest.model_name,
            model_version=manifest.model_version,
            model_key=manifest.key,
            sha256=manifest.sha256,
            output_bucket=bucket_of(request.output),
            output_prefix=key_of(request.output),
            keep=tuple(request.keep),
            probabilities=request.probabilities,
            files=tuple(files),
            shards=shards_of(files, request.shard_mb * MEGABYTE),
            labels=None if manifest.predicts_quantity else tuple(manifest.labels),
            error_unit=manifest.error_unit if manifest.predicts_quantity else None,
            decision_threshold=manifest.decision_threshold,
        )
        record = BatchPrediction(
            batch_id=plan.batch_id,
            model_name=plan.model_name,
            model_version=plan.model_version,
            sha256=plan.sha256,
            shards=len(plan.shards),
            input_files=len(files),
            input_bytes=sum(file.size for file in files),
            request=request.model_dump(mode="json"),
            actor=actor,
            request_id=request_id,
        )
        self._submit(plan, record)
        return state_of(record, (), self.settings.scoring_vcpu)

    def _check_room(self) -> None:
        most = self.settings.max_active_batch_predictions
        if len(self.table.under_way()) >= most:
            raise Conflict(
                f"{most} batch predictions are pending or running, and no more are allowed; wait until some have "
                "ended, cancel some, or raise MaxActiveBatchPredictions"
            )

    def _submit(self, plan: ScoringPlan, record: BatchPrediction) -> None:
        """Write plan and record, and submit the job.

        If the process dies before the job is submitted, reconcile ends the record.
        """
        try:
            if not self.files.claim(plan.output_bucket, plan.output_prefix, plan.batch_id):
                raise output_taken()
        except NotReadable as error:
            raise ValidationFailed.of_field("output", str(error)) from error
        self.files.write_plan(plan)
        self.table.create(record)
        environment = {"BATCH_PREDICTION_ID": plan.batch_id}
        if record.request_id:
            environment["REQUEST_ID"] = record.request_id
        try:
            batch_job_id = self.batch.submit(plan.batch_id, environment, array_size=len(plan.shards))
        except SubmissionRefused:
            # After any other failure Batch may have the job.
            self.table.delete(plan.batch_id)
            self.files.release(plan.output_bucket, plan.output_prefix)
            raise
        self.table.submitted(plan.batch_id, batch_job_id)
