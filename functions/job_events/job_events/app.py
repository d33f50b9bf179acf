"""Handle state changes of AWS Batch's jobs: update records, end sweeps, conversions and batch
predictions, and announce ends."""

from typing import Any

from aws_lambda_powertools import Logger

from job_events.announcement import Announcements
from job_events.batch_prediction_end import BatchPredictionEnds
from job_events.conversion_end import ConversionEnds
from job_events.costs import Costs
from job_events.job_states import JobStates
from mlops.aws.batch_job import ENDED, BatchJob, environment_of
from mlops.domain import batch_prediction, conversion

logger = Logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> None:
    """Handle one `Batch Job State Change`. Events come at least once, in any order, and also for other jobs."""
    job: BatchJob = event["detail"]
    if request_id := environment_of(job).get("REQUEST_ID"):
        logger.append_keys(request_id=request_id)
    logger.info("job state changed", job=job["jobName"], status=job["status"], reason=job.get("statusReason"))
    part = _part(job)
    if not part.from_environment().follow(job):
        logger.info("not a job of ours", job=job["jobName"], status=job["status"], batch_job_id=job.get("jobId"))
    elif job["status"] in ENDED:
        if part is JobStates:
            Costs.from_environment().record(job)
        Announcements.from_environment().announce(job)


def _part(job: BatchJob) -> type[ConversionEnds] | type[BatchPredictionEnds] | type[JobStates]:
    """Return what handles a job, by the prefix of its name."""
    if job["jobName"].startswith(conversion.ID_PREFIX):
        return ConversionEnds
    return BatchPredictionEnds if job["jobName"].startswith(batch_prediction.ID_PREFIX) else JobStates
