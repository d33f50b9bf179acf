"""Models that were deleted in MLflow, and whose files are still in `serving/`.

They are reported and nothing more: MLflow asks nobody before it deletes a model, and its files may be all that is left.
"""

from aws_lambda_powertools import Logger

from mlops.aws.serving_bucket import ServedModels
from mlops.registry.rest import Tracking

logger = Logger(child=True)


class DeletedModels:
    def __init__(self, tracking: Tracking, served: ServedModels) -> None:
        self._tracking, self._served = tracking, served

    @classmethod
    def from_environment(cls) -> "DeletedModels":
        return cls(Tracking.from_environment(), ServedModels.from_environment())

    def look(self) -> list[str]:
        """Return the names of the models, and log them as a warning."""
        # In this order: a model is registered before promotion writes its first file.
        with_files = self._served.names()
        registered = {model.name for model in self._tracking.models()}
        deleted = [name for name in with_files if name not in registered]
        if deleted:
            logger.warning("files of deleted models", models=deleted, prefix="serving/<model>/")
        return deleted
