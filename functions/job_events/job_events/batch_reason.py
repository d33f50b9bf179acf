"""Why AWS Batch ended a job."""

from mlops.aws.batch_job import BatchJob


def reason_of(job: BatchJob) -> str:
    """Return why Batch ended the job: its own reason and the container's, which has more detail."""
    container = job.get("container", {})
    parts = [job.get("statusReason"), container.get("reason")]
    if (code := container.get("exitCode")) is not None:
        parts.append(f"exit code {code}")
    return ", ".join(dict.fromkeys(str(part) for part in parts if part))
