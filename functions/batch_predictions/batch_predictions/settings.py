"""The settings of the function."""

from dataclasses import dataclass

from mlops.settings import Settings


@dataclass(frozen=True)
class BatchPredictionSettings(Settings):
    """Settings of the function.

    Attributes:
        artifact_bucket: The platform's own bucket.
        dataset_buckets: Further buckets that may hold inputs, comma-separated.
        output_buckets: Further buckets that may hold outputs, comma-separated.
        max_active_batch_predictions: Cost guard: how many may wait or run at the same time.
        scoring_vcpu: The vCPUs of each job.
    """

    artifact_bucket: str
    dataset_buckets: str = ""
    output_buckets: str = ""
    max_active_batch_predictions: int = 10
    scoring_vcpu: float = 1
