"""AWS Batch's job state changes: moves job records forward and ends sweeps."""

from typing import Any

from aws_lambda_powertools import Logger

from job_events.job_states import JobStates

logger = Logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> None:
    """Follow one `Batch Job State Change`. They come at least once, in any order, and of others' jobs too."""
    detail = event["detail"]
    environment = {
        variable["name"]: variable["value"] for variable in detail.get("container", {}).get("environment", [])
    }
    if "REQUEST_ID" in environment:
        logger.append_keys(request_id=environment["REQUEST_ID"])
    logger.info("batch", job=detail["jobName"], status=detail["status"], reason=detail.get("statusReason"))
    if not JobStates.from_environment().follow(detail):
        logger.info("not ours", job=detail["jobName"], status=detail["status"], batch_job_id=detail.get("jobId"))
