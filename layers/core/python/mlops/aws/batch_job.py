"""A job as AWS Batch describes it in DescribeJobs and in events: the part that the platform reads.

This is a separate module, so that functions that handle events do not import the client of Batch.
"""

from typing import TypedDict

ENDED = ("SUCCEEDED", "FAILED")
"""The statuses of a job that has ended."""


class EnvironmentVariable(TypedDict):
    name: str
    value: str


class ResourceRequirement(TypedDict):
    type: str
    value: str


class Timeout(TypedDict):
    attemptDurationSeconds: int


class Container(TypedDict, total=False):
    environment: list[EnvironmentVariable]
    resourceRequirements: list[ResourceRequirement]
    exitCode: int
    reason: str
    logStreamName: str


class Attempt(TypedDict, total=False):
    """An attempt that has ended; one whose container never ran has no start. Times are in milliseconds since 1970."""

    startedAt: int
    stoppedAt: int


class ArrayProperties(TypedDict, total=False):
    """An array job has `size` and `statusSummary` (number of children by status); a child has `index`."""

    size: int
    index: int
    statusSummary: dict[str, int]


class _Required(TypedDict):
    jobId: str
    jobName: str
    jobQueue: str
    status: str


class BatchJob(_Required, total=False):
    jobDefinition: str
    statusReason: str
    attempts: list[Attempt]
    container: Container
    timeout: Timeout
    arrayProperties: ArrayProperties


def environment_of(job: BatchJob) -> dict[str, str]:
    """Return the job's environment variables."""
    return {variable["name"]: variable["value"] for variable in job.get("container", {}).get("environment", [])}


def vcpus(job: BatchJob) -> float:
    """Return the vCPUs of the job, or of each child of an array job; 2, as the definition says, if it does not say."""
    return requirements(job).get("VCPU", 2.0)


def requirements(job: BatchJob) -> dict[str, float]:
    """Return what the job, or each child of an array job, has: VCPU, MEMORY in MiB, GPU."""
    return {each["type"]: float(each["value"]) for each in job.get("container", {}).get("resourceRequirements", [])}


def lost(name: str, batch_job_id: str | None, queue: str, reason: str) -> BatchJob:
    """Return the failed state of a job that AWS Batch does not have, as an event would say it."""
    return {
        "jobId": batch_job_id or "",
        "jobName": name,
        "jobQueue": queue,
        "status": "FAILED",
        "statusReason": reason,
    }
