"""Delete what a batch prediction has written, and the platform's plan of it. The record of it stays."""

from dataclasses import dataclass

from mlops.api.schemas.batch_predictions import BatchFilesDeletion
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.bucket_folders import BucketFolders
from mlops.aws.model_history import ModelHistory
from mlops.domain.addresses import bucket_of, key_of
from mlops.domain.batch_prediction import FOLDER, BatchPrediction
from mlops.domain.errors import Conflict, InUse
from mlops.domain.history import DELETION
from mlops.domain.ids import sortable_id
from mlops.removal.deletions import Wish


@dataclass(frozen=True)
class BatchFileDeletions:
    """Deletes the files of batch predictions."""

    table: BatchPredictionsTable
    history: ModelHistory
    folders: BucketFolders

    @classmethod
    def from_environment(cls) -> "BatchFileDeletions":
        return cls(
            BatchPredictionsTable.from_environment(), ModelHistory.from_environment(), BucketFolders.from_environment()
        )

    def find(self, batch_id: str) -> BatchPrediction:
        """Return a batch prediction. Raises NotFound."""
        return self.table.get(batch_id)

    def delete(self, batch: BatchPrediction, wish: Wish) -> BatchFilesDeletion:
        """Delete everything below the folder of the output, with all old versions. Can be repeated.

        Raises:
            InUse: It is under way.
            Conflict: Its output is in a bucket of the caller's own.
            DependencyUnavailable: A service does not answer.
        """
        if not batch.status.has_ended:
            raise InUse(
                f"{batch.batch_id} is {batch.status}; cancel it, or wait for its end",
                [{"batch_id": batch.batch_id, "reasons": [f"is {batch.status}"]}],
            )
        if bucket_of(batch.output) != self.folders.bucket:
            raise Conflict(f"The output of {batch.batch_id} is in a bucket of your own; delete {batch.output} there")
        detail = {"batch_id": batch.batch_id, "actor": wish.actor, "owner": wish.owner, "reason": wish.reason}
        self.history.append(batch.model_name, DELETION, sortable_id("deletion_"), detail)
        self.table.files_deleted(batch.batch_id, wish.actor)  # first: from now on nobody gets addresses of them
        freed = self.folders.remove([key_of(batch.output), f"{FOLDER}{batch.batch_id}/"])
        return BatchFilesDeletion(batch_id=batch.batch_id, output=batch.output, freed_bytes=freed)
