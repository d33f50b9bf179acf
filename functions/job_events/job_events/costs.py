"""Record what an ended job has cost, by list prices: in its record, and in a tag of its MLflow run.

All of it can be repeated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from aws_lambda_powertools import Logger

from mlops.aws.batch_job import BatchJob, requirements
from mlops.aws.jobs_table import JobsTable
from mlops.domain.errors import PlatformError
from mlops.domain.job import Job, Sweep
from mlops.domain.prices import LEAST_SECONDS, Prices
from mlops.domain.resources import USUAL, Size
from mlops.registry.runs import Runs

logger = Logger(child=True)
TAG = "mlops.cost_usd"


@dataclass(frozen=True)
class CostSettings(Prices):
    job_queue: str = ""
    """That of Spot. Jobs of other queues cost the whole price."""


class Costs:
    def __init__(self, settings: CostSettings, jobs: JobsTable, runs: Runs) -> None:
        self._settings, self._jobs, self._runs = settings, jobs, runs

    @classmethod
    def from_environment(cls) -> "Costs":
        return _costs()

    def record(self, job: BatchJob) -> None:
        """Record the cost of a job of ours that has ended, or of the runs of a sweep that it did.

        The time is that of Batch's attempts. A worker of a sweep does several runs, and the event of a run's own
        end may be lost: then it is the time from the run's start to its end.
        """
        for run, seconds in self._ended(job):
            cost = round(seconds / 3600 * self._hour(job), 6)
            self._jobs.update(run.job_id, cost_usd=cost)
            if run.run_id is not None:
                self._tag(run.run_id, cost)

    def _ended(self, job: BatchJob) -> Iterator[tuple[Job, float]]:
        """Yield the runs whose cost the event says, with the seconds that are paid for."""
        record = self._jobs.find(job["jobName"])
        index = job.get("arrayProperties", {}).get("index")
        if isinstance(record, Job):
            if (seconds := _seconds(job)) is not None:
                yield record, seconds
        elif isinstance(record, Sweep) and index is not None:
            if not record.has_workers and (seconds := _seconds(job)) is not None:
                yield self._jobs.job(record.job_ids[index]), seconds
        elif isinstance(record, Sweep):
            for run in self._jobs.get_many(record.job_ids):
                if run.cost_usd is None and run.started_at is not None and run.completed_at is not None:
                    yield run, _between(run.started_at, run.completed_at)

    def _hour(self, job: BatchJob) -> float:
        needs = requirements(job)
        if needs.get("GPU"):
            return self._settings.gpu_hour_price
        size = Size(needs.get("VCPU", USUAL.vcpu), needs.get("MEMORY", USUAL.memory_gb * 1024) / 1024)
        return self._settings.fargate_hour(size, spot=job["jobQueue"] == self._settings.job_queue)

    def _tag(self, run_id: str, cost: float) -> None:
        try:
            self._runs.set_run_tag(run_id, TAG, f"{cost:g}")
        except PlatformError as error:  # the record has it, and MLflow's is a copy
            logger.warning("no tag of the cost", run_id=run_id, reason=error.detail)


def _seconds(job: BatchJob) -> float | None:
    """Return the seconds that all attempts are paid for; None if the event does not say it."""
    if "attempts" not in job:  # a job that Batch does not have
        return None
    ran = [each for each in job["attempts"] if "startedAt" in each and "stoppedAt" in each]
    return sum(max(LEAST_SECONDS, (each["stoppedAt"] - each["startedAt"]) / 1000) for each in ran)


def _between(start: str, end: str) -> float:
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


@cache
def _costs() -> Costs:
    return Costs(CostSettings.from_environment(), JobsTable.from_environment(), Runs.from_environment())
