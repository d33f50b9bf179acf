"""The settings of the function."""

from dataclasses import dataclass

from mlops.settings import Settings


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """Settings of the function.

    Attributes:
        artifact_bucket: The platform's own bucket, which may hold data sets.
        dataset_buckets: Further buckets that may hold data sets, comma-separated.
        max_active_jobs: Cost guard: how many jobs may wait or run at the same time.
        max_vcpu: Cost guard: vCPUs that one job may ask for.
        max_memory_gb: Cost guard: memory in GB that one job may ask for.
        max_minutes: Cost guard: minutes that an attempt of one job may ask for.
        code_job_definition: The job definition of people's own code; empty if the stack does not run it.
    """

    artifact_bucket: str
    dataset_buckets: str = ""
    max_active_jobs: int = 200
    max_vcpu: float = 8
    max_memory_gb: float = 60
    max_minutes: int = 480
    code_job_definition: str = ""
