"""The job's own record: run, progress and end go to the jobs table, so that a job's status needs no MLflow."""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from trainer.delivery import BackgroundSender
from trainer.errors import TrainingError
from trainer.log import log_event
from trainer.parameters import Identity, ParameterValue

if TYPE_CHECKING:
    from mlops.aws.jobs_table import JobsTable

REFUSAL_SECONDS = 15.0


def refuse(identity: Identity, reason: str) -> None:
    """Write that the job was refused before it began, as far as the table answers."""
    record = JobRecord(identity, max_wait=REFUSAL_SECONDS)
    try:
        record.failed(reason)
        record.flush(REFUSAL_SECONDS)
    except TrainingError as error:
        log_event("trainer.report_lost", reason=str(error))


class JobRecord:
    """Writes the record of one attempt in the background. Without a job id or JOBS_TABLE it writes nothing."""

    def __init__(self, identity: Identity, max_wait: float, environment: Mapping[str, str] = os.environ) -> None:
        self._job_id = identity.job_id or ""
        self._attempt = identity.attempt
        self._table: JobsTable | None = None
        self._sender: BackgroundSender | None = None
        if identity.job_id and (name := environment.get("JOBS_TABLE")):
            # Not in the sender's thread, because the one that trains imports too (see `TrackedRun`).
            for module in ("mlops.aws.jobs_table", "boto3.dynamodb.types"):
                import_module(module)
            self._sender = BackgroundSender(f"DynamoDB table {name}", max_wait)

    def started(self, run_id: str, params: Mapping[str, ParameterValue], epochs: int) -> None:
        """The MLflow run exists, and `epochs` epochs follow."""
        self._send(lambda table: table.started(self._job_id, self._attempt, run_id, dict(params), epochs))

    def progressed(self, epoch: int, metrics: Mapping[str, float], curve: Mapping[int, float] | None) -> None:
        """Epoch `epoch` (from 1) is done. `curve` is that of a run that may be pruned."""
        values, points = dict(metrics), None if curve is None else dict(curve)
        self._send(
            lambda table: table.progressed(self._job_id, self._attempt, epoch, values, points), latest="progress"
        )

    def completed(self, metrics: Mapping[str, float], model_version: int | None) -> None:
        """The run has ended well."""
        self._send(lambda table: table.completed(self._job_id, self._attempt, dict(metrics), model_version))

    def failed(self, error: str) -> None:
        """The run has ended with this reason."""
        self._send(lambda table: table.failed(self._job_id, self._attempt, error))

    def pruned(self, reason: str) -> None:
        """The sweep has ended the run."""
        self._send(lambda table: table.pruned(self._job_id, self._attempt, reason))

    def flush(self, within: float | None = None) -> None:
        """Wait for the writes, for at most `within` seconds. Raises Unreachable."""
        if self._sender:
            self._sender.flush(within)

    def close(self) -> None:
        """Nothing more is written."""
        if self._sender:
            self._sender.close()

    def _send(self, write: "Callable[[JobsTable], None]", latest: str | None = None) -> None:
        if self._sender:
            self._sender.send(lambda: write(self._jobs()), latest)

    def _jobs(self) -> "JobsTable":
        if self._table is None:
            from mlops.aws.jobs_table import JobsTable

            self._table = JobsTable.from_environment()
        return self._table
