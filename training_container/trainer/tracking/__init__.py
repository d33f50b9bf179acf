"""What MLflow is given of a run, and how its requests are signed on AWS."""

from trainer.tracking.run import TrackedRun, version_tags

__all__ = ["TrackedRun", "version_tags"]
