"""A worker of a sweep that learns: it takes one run after the other, until none is left.

A run is claimed by the write of its hyperparameters, before it trains. So each run is done once, the other workers see
what is under way, and an attempt after an interruption takes up its own run again, with the same hyperparameters. If a
worker dies for good, the others do the runs that are left.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlops.domain import objective as objectives
from mlops.domain.job import Job
from mlops.domain.sweep import Sweep, child_parameters
from trainer import invocation, job, models, search
from trainer.errors import Interrupted, Pruned, reason_of
from trainer.log import log_event
from trainer.parameters import HyperparameterValue
from trainer.stop import Stop
from trainer.trial_records import TrialRecords


def main(argv: Sequence[str], plan: Sweep, stop: Stop) -> int:
    """Do runs of the sweep and return the exit code, which is 0: a run's failure is in its record.

    Raises:
        Interrupted: SIGTERM; the state of the run is kept.
        TrainingError: The jobs table does not answer, or a variable of this process is wrong.
    """
    values = invocation.given(invocation.parser().parse_args(argv), os.environ)
    worker = Worker(plan, values, invocation.index(os.environ), TrialRecords(plan, job.max_wait()), stop)
    while (run := worker.next_run()) is not None:
        worker.do(run)
    return 0


class Worker:
    """Worker `index`, from 0, of a sweep. `values` are the fields of the request that all runs have."""

    def __init__(self, plan: Sweep, values: Mapping[str, str], index: int, records: TrialRecords, stop: Stop) -> None:
        self._plan, self._values, self._index = plan, values, index
        self._records, self._stop = records, stop

    def next_run(self) -> Job | None:
        """Return the run that an earlier attempt has begun, or claim the next one; None if there is none."""
        while not self._stop.requested():
            runs = self._records.read()
            own = next((run for run in runs if run.worker == self._index and not run.status.has_ended), None)
            if own is not None:
                log_event("worker.resumed", worker=self._index, job_id=own.job_id, asked=own.asked)
                return own
            free = next((run for run in runs if run.worker is None and not run.status.has_ended), None)
            if free is None:
                return None
            asked = self._ask(free, runs)
            # Another worker may have been faster. Then its run is known now, and can be learned from.
            if self._records.claim(free.job_id, self._index, asked):
                log_event("worker.claimed", worker=self._index, job_id=free.job_id, asked=asked)
                return replace(free, worker=self._index, asked=asked)
        raise Interrupted

    def do(self, run: Job) -> None:
        """Train a run to its end, whatever that is. Raises Interrupted, Unreachable."""
        process = invocation.identity(os.environ)
        # In another queue Batch counts from 1 again, and the record takes no report of an earlier attempt.
        attempt = max(process.attempt, run.attempt)
        identity = replace(process, job_id=run.job_id, attempt=attempt)
        drawn = {**child_parameters(self._plan, self._plan.job_ids.index(run.job_id)), **run.asked}
        try:
            parameters = invocation.resolve(self._values, drawn)
            job.run(parameters, identity, self._stop, self._records.trial(run.job_id))
        except Interrupted:
            raise
        except Pruned:
            pass  # its record says so
        except Exception as error:
            # The job has told its record, as far as that answered. A run without an end would be taken up once more.
            self._records.fail(run.job_id, attempt, reason_of(error))

    def _ask(self, free: Job, runs: Sequence[Job]) -> dict[str, HyperparameterValue]:
        begun = [run for run in runs if run.worker is not None]
        objective = objectives.of_runs(self._values, (run.metrics for run in runs))
        index = self._plan.job_ids.index(free.job_id)
        start = models.run_params(invocation.resolve(self._values)) if index == 0 else {}
        return search.ask(self._plan, index, begun, objective.on_validation if objective else None, start)
