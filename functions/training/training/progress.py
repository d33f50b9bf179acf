"""The progress of runs of people's own code: they log it to MLflow, and only their end is in the jobs table."""

from collections.abc import Sequence
from dataclasses import replace

from aws_lambda_powertools import Logger

from mlops.domain.errors import NotFound, PlatformError
from mlops.domain.job import Job
from mlops.registry.runs import Runs

logger = Logger(child=True)


def with_progress(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs, with what MLflow has of those that run people's own code and have not ended.

    MLflow may be down: then the records are shown as they are, and it is not asked again.
    """
    shown: list[Job] = []
    for index, job in enumerate(jobs):
        try:
            shown.append(_current(job))
        except PlatformError as error:
            logger.warning("no progress", job=job.job_id, reason=error.detail)
            return [*shown, *jobs[index:]]
    return shown


def _current(job: Job) -> Job:
    # Between two attempts it is pending again.
    is_under_way = job.started_at is not None and not job.status.has_ended
    if not job.is_code_run or job.run_id is None or not is_under_way:
        return job
    try:
        state = Runs.from_environment().state(job.run_id)
    except NotFound:  # somebody has deleted the run
        return job
    return replace(job, **state.logged(job))
