"""The settings of the function."""

from dataclasses import dataclass

from mlops.domain.prices import Prices


@dataclass(frozen=True)
class TrainingSettings(Prices):
    """Settings of the function, with the prices that it reckons with.

    Attributes:
        artifact_bucket: The platform's own bucket, which may hold data sets.
        dataset_buckets: Further buckets that may hold data sets, comma-separated.
        max_active_jobs: Cost guard: how many jobs may wait or run at the same time.
        max_vcpu: Cost guard: vCPUs that one job may ask for.
        max_memory_gb: Cost guard: memory in GB that one job may ask for.
        max_minutes: Cost guard: minutes that an attempt of one job may ask for.
        max_job_seconds: Seconds of an attempt of a job that asks for no other time.
        max_job_cost: Cost guard: the most dollars that a job or a sweep could cost.
        code_job_definition: The job definition of people's own code; empty if the stack does not run it.
        gpu_job_definition: The job definition of jobs with a GPU; empty if the stack has none.
    """

    artifact_bucket: str
    dataset_buckets: str = ""
    max_active_jobs: int = 200
    max_vcpu: float = 8
    max_memory_gb: float = 60
    max_minutes: int = 480
    max_job_seconds: int = 7200
    max_job_cost: float = 250
    code_job_definition: str = ""
    gpu_job_definition: str = ""
