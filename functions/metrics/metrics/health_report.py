"""What CloudWatch has no metric for: how long jobs and transitions wait, and how many jobs are in which state."""

from collections import Counter

from aws_lambda_powertools import Logger

from metrics.sources import Reading, oldest
from mlops.aws.embedded_metrics import embedded

logger = Logger()
STATES = ("pending", "running", "completed", "failed")
"""Each is a metric that is paid for by the month; nothing in CloudWatch looks at cancelled jobs, which /metrics has."""


def report(reading: Reading) -> None:
    """Write the metrics OldestPendingJob, OldestQueuedTransition and ProductionModels, and Jobs by state."""
    pending = [job for job in reading.jobs if job["status"] == "pending"]
    found = {
        "OldestPendingJob": (oldest(pending, reading.at), "Seconds"),
        "OldestQueuedTransition": (oldest(reading.open_transitions, reading.at), "Seconds"),
        "ProductionModels": (float(sum("Production" in stages for stages in reading.serving.values())), "Count"),
    }
    logger.info("health", **embedded(found))
    states = Counter(job["status"] for job in reading.jobs)
    for state in STATES:
        logger.info("jobs", **embedded({"Jobs": (float(states[state]), "Count")}, [["state"]], state=state))
