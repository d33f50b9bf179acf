"""End batch predictions whose jobs have ended: compare what the shards reported with what lies in S3, and only then
write the manifest that says that the output is whole. All of it can be repeated."""

import json
from collections.abc import Sequence
from functools import cache

from job_events.batch_reason import reason_of
from mlops.aws.batch_job import ENDED, BatchJob
from mlops.aws.batch_prediction_files import BatchPredictionFiles
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.domain.addresses import bucket_of, key_of
from mlops.domain.batch_prediction import BatchPrediction, Shard, Totals
from mlops.domain.job import JobStatus

SCHEMA = 1


class BatchPredictionEnds:
    def __init__(self, table: BatchPredictionsTable, files: BatchPredictionFiles) -> None:
        self._table, self._files = table, files

    @classmethod
    def from_environment(cls) -> "BatchPredictionEnds":
        return _batch_prediction_ends()

    def follow(self, job: BatchJob) -> bool:
        """Record the state of a job or of one of its shards; False if it is not the job of a batch prediction."""
        batch = self._table.find(job["jobName"])
        if batch is None or batch.batch_job_id not in (None, job["jobId"].partition(":")[0]):
            return False
        if job["status"] == "RUNNING":
            self._table.started(batch.batch_id)
        elif job["status"] in ENDED and "index" not in job.get("arrayProperties", {}) and not batch.status.has_ended:
            self._end(batch, job)
        return True

    def _end(self, batch: BatchPrediction, job: BatchJob) -> None:
        shards = self._table.shards(batch.batch_id)
        totals = Totals.of(shards)
        if job["status"] == "FAILED":
            status = JobStatus.CANCELLED if batch.cancel_requested else JobStatus.FAILED
            error = None if batch.cancel_requested else _failure(shards, job)
        else:
            error = self._fault(batch, shards, totals)
            status = JobStatus.FAILED if error else JobStatus.COMPLETED
        if status is JobStatus.COMPLETED:
            document = success_document(batch, shards, totals)
            self._files.write_success(bucket_of(batch.output), key_of(batch.output), document)
        self._table.finish(batch.batch_id, status, totals, error)

    def _fault(self, batch: BatchPrediction, shards: Sequence[Shard], totals: Totals) -> str | None:
        """Return why the output of a job that has succeeded is not whole; None if it is."""
        done = {shard.index for shard in shards if shard.done}
        if missing := sorted(set(range(batch.shards)) - done):
            return f"{len(missing)} of {batch.shards} shards have not reported their end, the first is {missing[0]}"
        if not totals.rows:
            return "there are no rows in the input"
        if totals.rejected > batch.max_rejected * totals.rows:
            commonest = "; ".join(f"{reason} ({count:,} rows)" for reason, count in totals.reasons.items())
            return (
                f"{totals.rejected:,} of {totals.rows:,} rows were set aside, and max_rejected allows "
                f"{batch.max_rejected:g} of them. The commonest reasons: {commonest}. The rows are in rejected/"
            )
        stored = {
            file.key: (file.size, file.etag)
            for file in self._files.listed(bucket_of(batch.output), key_of(batch.output))
        }
        for shard in shards:
            for file in shard.files:
                if stored.get(file.key) != (file.size, file.etag):
                    return f"{file.key} is not in S3 as its shard wrote it: somebody has changed or deleted it"
        return None


def success_document(batch: BatchPrediction, shards: Sequence[Shard], totals: Totals) -> bytes:
    """Return the manifest of an output: what answered, and the files with their hashes."""
    prefix = key_of(batch.output)
    document = {
        "schema": SCHEMA,
        "batch_id": batch.batch_id,
        "model_name": batch.model_name,
        "model_version": batch.model_version,
        "model_sha256": batch.sha256,
        "input": batch.request["input"],
        "rows": totals.rows,
        "rejected": totals.rejected,
        "reasons": dict(totals.reasons),
        "files": [
            {"name": file.key.removeprefix(prefix), "rows": file.rows, "size": file.size, "sha256": file.sha256}
            for shard in shards
            for file in shard.files
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def _failure(shards: Sequence[Shard], job: BatchJob) -> str:
    """Return why a job has failed: the first shard's own reason, else that of AWS Batch."""
    failed = [shard for shard in shards if shard.error]
    if not failed:
        return f"its job has not ended well: {reason_of(job) or 'AWS Batch gives no reason'}"
    more = f" ({len(failed) - 1} more shards failed)" if len(failed) > 1 else ""
    return f"{failed[0].error}{more}"


@cache
def _batch_prediction_ends() -> BatchPredictionEnds:
    return BatchPredictionEnds(BatchPredictionsTable.from_environment(), BatchPredictionFiles.from_environment())
