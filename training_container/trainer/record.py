"""The job's own record: run, progress and end go to the jobs table, so that its status needs no MLflow."""

import os
from collections.abc import Mapping
from typing import Any

from trainer.courier import Courier
from trainer.errors import TrainingError
from trainer.log import say
from trainer.parameters import Identity

REFUSAL_SECONDS = 15.0


def refused(identity: Identity, reason: str) -> None:
    """Write that the job was refused before it began, as far as the table answers."""
    record = JobRecord(identity, patience=REFUSAL_SECONDS)
    try:
        record.failed(reason)
        record.flush(REFUSAL_SECONDS)
    except TrainingError as error:
        say("trainer.unsaid", reason=str(error))


class JobRecord:
    """Writes the record of one attempt in the background. Without a job id or JOBS_TABLE it writes nothing."""

    def __init__(self, identity: Identity, patience: float, environment: Mapping[str, str] = os.environ) -> None:
        self._job_id = identity.job_id or ""
        self._attempt = identity.attempt
        self._table: Any = None
        self._courier: Courier | None = None
        if identity.job_id and (name := environment.get("JOBS_TABLE")):
            self._courier = Courier(f"DynamoDB table {name}", patience)

    def started(self, run_id: str, params: Mapping[str, Any], epochs: int) -> None:
        self._send("started", run_id, dict(params), epochs)

    def progressed(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self._send("progressed", epoch, dict(metrics), latest="progress")

    def completed(self, metrics: Mapping[str, float], model_version: int | None) -> None:
        self._send("completed", dict(metrics), model_version)

    def failed(self, error: str) -> None:
        self._send("failed", error)

    def flush(self, within: float | None = None) -> None:
        """Wait for the writes. Raises Unreachable."""
        if self._courier:
            self._courier.flush(within)

    def close(self) -> None:
        if self._courier:
            self._courier.close()

    def _send(self, report: str, *values: Any, latest: str | None = None) -> None:
        if self._courier:
            self._courier.send(lambda: getattr(self._jobs(), report)(self._job_id, self._attempt, *values), latest)

    def _jobs(self) -> Any:
        if self._table is None:
            from mlops.aws.jobs_table import JobsTable

            self._table = JobsTable.from_environment()
        return self._table
