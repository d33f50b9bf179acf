"""Make the API's answers from records and from what the shards have reported."""

from collections.abc import Sequence
from datetime import UTC, datetime

from mlops.api.schemas.batch_predictions import BatchPredictionState, BatchPredictionStatus
from mlops.domain.batch_prediction import BatchPrediction, Shard, Totals
from mlops.domain.job import JobStatus

_STATUSES: dict[JobStatus, BatchPredictionStatus] = {
    JobStatus.PENDING: "pending",
    JobStatus.RUNNING: "running",
    JobStatus.COMPLETED: "completed",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELLED: "cancelled",
}


def state_of(batch: BatchPrediction, shards: Sequence[Shard], vcpu: float) -> BatchPredictionState:
    """Make the answer about a batch prediction. Once it has ended, its record has the totals."""
    totals = Totals.of(shards)
    rows = totals.rows if batch.rows is None else batch.rows
    return BatchPredictionState(
        batch_id=batch.batch_id,
        status=_STATUSES[batch.status],
        model_name=batch.model_name,
        model_version=batch.model_version,
        model_sha256=batch.sha256,
        input=batch.request["input"],
        input_files=batch.input_files,
        input_bytes=batch.input_bytes,
        output=batch.output,
        keep=list(batch.request.get("keep", ())),
        max_rejected=batch.max_rejected,
        shards=batch.shards,
        shards_done=totals.shards_done if batch.shards_done is None else batch.shards_done,
        rows=rows,
        rejected=totals.rejected if batch.rejected is None else batch.rejected,
        reasons=dict(batch.reasons or totals.reasons),
        rows_per_second=_rate(batch, rows),
        vcpu_hours=round((totals.seconds if batch.seconds is None else batch.seconds) * vcpu / 3600, 4),
        actor=batch.actor,
        error=batch.error,
        created_at=batch.created_at,
        started_at=batch.started_at,
        completed_at=batch.completed_at,
        files_deleted_at=batch.files_deleted_at,
    )


def _rate(batch: BatchPrediction, rows: int) -> float | None:
    if batch.started_at is None or not rows:
        return None
    end = datetime.fromisoformat(batch.completed_at) if batch.completed_at else datetime.now(UTC)
    seconds = (end - datetime.fromisoformat(batch.started_at)).total_seconds()
    return round(rows / seconds, 1) if seconds > 0 else None
