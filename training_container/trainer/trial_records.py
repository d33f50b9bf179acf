"""The records of a sweep's runs in the jobs table, as the processes of the sweep read and write them."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from mlops.aws.dynamodb import table_named
from mlops.aws.jobs_table import JobsTable
from mlops.domain.job import Job
from mlops.domain.sweep import Sweep
from trainer.delivery import refused_for_good, retry
from trainer.errors import ParameterError
from trainer.log import log_event
from trainer.parameters import HyperparameterValue
from trainer.trial import Trial

T = TypeVar("T")


class TrialRecords:
    """The records. All methods but `glance` try for `max_wait` seconds, and then raise Unreachable."""

    def __init__(self, plan: Sweep, max_wait: float, environment: Mapping[str, str] = os.environ) -> None:
        name = environment.get("JOBS_TABLE")
        if not name:
            raise ParameterError("JOBS_TABLE: the runs of this sweep read each other's records; name their table")
        self._plan = plan
        self._address = f"DynamoDB table {name}"
        self._max_wait = max_wait
        # Not the table of job_record, which another thread uses.
        self._table = JobsTable(table_named(name, attempts=2))

    def read(self) -> list[Job]:
        """Return all runs of the sweep, by their numbers."""
        return self._retry(lambda: self._table.trials(self._plan.job_ids))

    def glance(self, job_ids: Sequence[str]) -> list[Job]:
        """Return these runs; none if the table does not answer now, because a training does not wait for it.

        Raises:
            Unreachable: The table refuses the request.
        """
        try:
            return self._table.trials(job_ids)
        except Exception as error:  # whatever the client raises; refused_for_good decides by its kind
            if refused_for_good(error):
                return self._retry(lambda: self._table.trials(job_ids))
            log_event("trial.not_compared", address=self._address, reason=str(error))
            return []

    def claim(self, job_id: str, worker: int, asked: Mapping[str, HyperparameterValue]) -> bool:
        """Take a run with these hyperparameters; False if it is taken or has ended, or an earlier try succeeded."""
        return self._retry(lambda: self._table.claim_trial(job_id, worker, asked))

    def fail(self, job_id: str, attempt: int, reason: str) -> None:
        """End a run as failed, unless it has ended."""
        self._retry(lambda: self._table.failed(job_id, attempt, reason))

    def trial(self, job_id: str) -> Trial:
        """Return what a run is told of the sweep."""
        (own,) = self._retry(lambda: self._table.trials([job_id])) or [Job(job_id)]
        return Trial(job_id, self._plan.prune, self.glance, self._plan.job_ids, own.curve)

    def _retry(self, action: Callable[[], T]) -> T:
        return retry(self._address, action, self._max_wait)
