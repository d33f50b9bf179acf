"""Handle state changes of AWS Batch's jobs: update the job's record, and end sweeps and conversions."""

from typing import Any

from aws_lambda_powertools import Logger

from job_events.conversion_end import ConversionEnds
from job_events.job_states import JobStates
from mlops.aws.batch_job import BatchJob, environment_of
from mlops.domain.conversion import ID_PREFIX

logger = Logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> None:
    """Handle one `Batch Job State Change`. Events come at least once, in any order, and also for other jobs."""
    job: BatchJob = event["detail"]
    if request_id := environment_of(job).get("REQUEST_ID"):
        logger.append_keys(request_id=request_id)
    logger.info("job state changed", job=job["jobName"], status=job["status"], reason=job.get("statusReason"))
    part = ConversionEnds if job["jobName"].startswith(ID_PREFIX) else JobStates
    if not part.from_environment().follow(job):
        logger.info("not a job of ours", job=job["jobName"], status=job["status"], batch_job_id=job.get("jobId"))
