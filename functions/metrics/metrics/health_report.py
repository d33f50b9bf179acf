"""Report metrics that CloudWatch lacks: how long jobs and transitions wait, and the number of jobs by state."""

from collections import Counter

from aws_lambda_powertools import Logger

from metrics.sources import Reading, longest_wait
from mlops.aws.embedded_metrics import embedded
from mlops.domain.job import JobStatus
from mlops.domain.stages import Stage

logger = Logger()
STATES = (JobStatus.PENDING, JobStatus.RUNNING, JobStatus.COMPLETED, JobStatus.FAILED)
"""States that are reported. Each metric costs money every month; cancelled and pruned jobs are in /metrics only."""


def report(reading: Reading) -> None:
    """Write the metrics OldestPendingJob, OldestQueuedTransition and ProductionModels, and Jobs by state."""
    pending = [job.created_at for job in reading.jobs if job.status is JobStatus.PENDING]
    queued = [transition.since for transition in reading.open_transitions]
    health = {
        "OldestPendingJob": (longest_wait(pending, reading.at), "Seconds"),
        "OldestQueuedTransition": (longest_wait(queued, reading.at), "Seconds"),
        "ProductionModels": (float(sum(Stage.PRODUCTION in stages for stages in reading.serving.values())), "Count"),
    }
    logger.info("health", **embedded(health))
    states = Counter(job.status for job in reading.jobs)
    for state in STATES:
        logger.info("jobs", **embedded({"Jobs": (float(states[state]), "Count")}, [["state"]], state=state))
