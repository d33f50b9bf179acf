"""A job as AWS Batch describes it, in DescribeJobs and in its events alike: as much of it as the platform reads.

A module of its own, because importing the client of Batch takes time that those who follow events need not spend.
"""

from typing import TypedDict


class EnvironmentVariable(TypedDict):
    name: str
    value: str


class Container(TypedDict, total=False):
    environment: list[EnvironmentVariable]
    exitCode: int
    reason: str
    logStreamName: str


class ArrayProperties(TypedDict, total=False):
    """Of an array job `size` and `statusSummary` (status → children), of one of its children `index`."""

    size: int
    index: int
    statusSummary: dict[str, int]


class _Required(TypedDict):
    jobId: str
    jobName: str
    jobQueue: str
    status: str


class BatchJob(_Required, total=False):
    statusReason: str
    attempts: list[object]
    container: Container
    arrayProperties: ArrayProperties


def environment_of(job: BatchJob) -> dict[str, str]:
    """The job's environment variables."""
    return {variable["name"]: variable["value"] for variable in job.get("container", {}).get("environment", [])}
