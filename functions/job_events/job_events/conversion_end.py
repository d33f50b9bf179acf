"""End a conversion whose job has ended, and have the transitions that wait for it go on. Both can be repeated."""

from functools import cache
from typing import Any

from mlops.aws.batch_job import ENDED, BatchJob, environment_of
from mlops.aws.conversion_results import ConversionResults
from mlops.aws.conversions_table import ConversionsTable
from mlops.aws.promotion_queue import PromotionQueue, transition_message
from mlops.domain.conversion import Conversion, ConversionStatus

NO_RESULT = (
    "its job ended without a result that can be read; promote the version again, and if this repeats, search the job's "
    "log for the id of the conversion"
)
OUT_OF_MEMORY = (
    "its job ran out of memory: convert the model where it was trained (mlops_client.log_model), or make it smaller"
)


class ConversionEnds:
    def __init__(self, table: ConversionsTable, results: ConversionResults, queue: PromotionQueue) -> None:
        self._table, self._results, self._queue = table, results, queue

    @classmethod
    def from_environment(cls) -> "ConversionEnds":
        return _conversion_ends()

    def follow(self, job: BatchJob) -> bool:
        """Record the end of a conversion's job; False if it is not the job of a conversion that is recorded."""
        named = environment_of(job)
        if "MODEL_NAME" not in named or not named.get("MODEL_VERSION", "").isdecimal():
            return False
        conversion = self._table.get(named["MODEL_NAME"], int(named["MODEL_VERSION"]))
        if conversion is None or not _is_its_job(conversion, job):
            return False
        if job["status"] in ENDED:
            if conversion.status is ConversionStatus.RUNNING:
                self._finish(conversion, job)
            self._wake(conversion)
        return True

    def _finish(self, conversion: Conversion, job: BatchJob) -> None:
        result = self._results.read(conversion) if job["status"] == "SUCCEEDED" else None
        if result is None:
            reason = NO_RESULT if job["status"] == "SUCCEEDED" else _reason(job)
            self._table.finish(conversion, ConversionStatus.FAILED, error=reason)
        elif result.reason is not None:
            self._table.finish(conversion, ConversionStatus.FAILED, error=result.reason, notes=result.notes)
        else:
            made: dict[str, Any] = {"sha256": result.sha256, "proof_sha256": result.proof_sha256, "task": result.task}
            self._table.finish(conversion, ConversionStatus.SUCCEEDED, notes=result.notes, **made)

    def _wake(self, conversion: Conversion) -> None:
        """Send the messages of the transitions that wait. Those that wait from now on see that it has ended."""
        ended = self._table.get(conversion.model_name, conversion.version)
        if ended is None or ended.conversion_id != conversion.conversion_id:
            return
        for transition_id in sorted(ended.waiting):
            # The queue dropped the transition's own id, if it was sent within five minutes.
            message = transition_message(conversion.model_name, transition_id, conversion.request_id)
            self._queue.send(message, f"{transition_id}#{conversion.conversion_id}")


def _is_its_job(conversion: Conversion, job: BatchJob) -> bool:
    """Return whether a Batch job is the conversion's. The first events may come before the record has Batch's id."""
    batch_id = conversion.batch_job_id
    return conversion.conversion_id == job["jobName"] and batch_id in (None, job["jobId"])


def _reason(job: BatchJob) -> str:
    """Return why a job that wrote no result has ended."""
    reason = job.get("container", {}).get("reason") or job.get("statusReason") or "its job failed"
    return OUT_OF_MEMORY if reason.startswith("OutOfMemory") else f"its job has not ended well: {reason}"


@cache
def _conversion_ends() -> ConversionEnds:
    return ConversionEnds(
        ConversionsTable.from_environment(), ConversionResults.from_environment(), PromotionQueue.from_environment()
    )
