"""End the MLflow run of people's own code, and read what it has logged: its job may not write to the jobs table."""

from typing import cast

from aws_lambda_powertools import Logger

from mlops.aws.jobs_table import Changes
from mlops.domain.errors import NotFound
from mlops.domain.job import Job, JobStatus
from mlops.registry.rest import TrackingRefused
from mlops.registry.runs import Runs

logger = Logger(child=True)
_MLFLOW_STATUS = {JobStatus.COMPLETED: "FINISHED", JobStatus.FAILED: "FAILED", JobStatus.CANCELLED: "KILLED"}


def conclude(job: Job, status: JobStatus, runs: Runs) -> Changes:
    """End the MLflow run of a job, and return what the job's record gets of it. It can be repeated.

    The script may have ended its run by itself, or have been killed before it could. So the end is that of the job.

    Raises:
        DependencyUnavailable: MLflow does not answer.
    """
    if job.run_id is None:  # the job never reached AWS Batch
        return {}
    try:
        state = runs.state(job.run_id)
        runs.end_run(job.run_id, _MLFLOW_STATUS[status])
        version = runs.version_of(job.run_id)
    except (NotFound, TrackingRefused) as error:  # somebody has deleted the run
        logger.warning("no MLflow run", job=job.job_id, run_id=job.run_id, reason=error.detail)
        return {}
    changes = cast(Changes, state.logged(job))
    if status is JobStatus.FAILED and state.error:
        changes["error"] = state.error
    if version is not None:
        changes["model_name"], changes["model_version"] = version.model_name, version.version
    return changes
