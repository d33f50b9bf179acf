"""What is deleted, and what is in the bin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mlops_client.errors import BadInput
from mlops_client.listing import Listing
from mlops_client.models import BatchFilesDeletion, BinEntry, DeletedDataset, PredictionDeletion, PredictionIds
from mlops_client.records import decode
from mlops_client.routes.base import Routes, given
from mlops_client.transport import path

IDS_SIZE = 1000
"""The API's limit of ids per request."""


class BinRoutes(Routes):
    """Delete models, versions, experiments and runs, and restore them."""

    def delete_version(self, version: int, model_name: str, reason: str, *, force: bool = False) -> BinEntry:
        """Put a version into the bin, from which it can be restored for 30 days.

        Args:
            version: The version.
            model_name: The registered model.
            reason: Kept in the history.
            force: Also delete what a rollback can bring back.

        Raises:
            ApiError: It is in use (status 409, code in_use). The message has the first reason.
        """
        return self._delete(path("models", model_name, "versions", str(version)), reason, force)

    def delete_model(self, model_name: str, reason: str, *, force: bool = False) -> BinEntry:
        """Put a model into the bin, with all its versions. The arguments and errors are those of `delete_version`."""
        return self._delete(path("models", model_name), reason, force)

    def restore_version(self, version: int, model_name: str, reason: str | None = None) -> BinEntry:
        """Take a version out of the bin.

        Raises:
            NotFound: It is not in the bin.
            ApiError: It is too late, or it is there with its model (status 409).
        """
        return self._restore(path("models", model_name, "versions", str(version)), reason)

    def restore_model(self, model_name: str, reason: str | None = None) -> BinEntry:
        """Take a model out of the bin, with the versions that were deleted with it. The errors are as above."""
        return self._restore(path("models", model_name), reason)

    def delete_experiment(self, experiment: str, reason: str, *, force: bool = False) -> BinEntry:
        """Put an experiment into the bin, with all its runs.

        Args:
            experiment: Its name or ID.
            reason: Kept in the history.
            force: Also delete runs that MLflow says have not ended.

        Raises:
            ApiError: A run has not ended, or has made a version that is not in the bin (status 409).
        """
        return self._delete(path("experiments", experiment), reason, force)

    def delete_run(self, experiment: str, run_id: str, reason: str, *, force: bool = False) -> BinEntry:
        """Put a run into the bin. The arguments and errors are those of `delete_experiment`."""
        return self._delete(path("experiments", experiment, "runs", run_id), reason, force)

    def restore_experiment(self, experiment: str, reason: str | None = None) -> BinEntry:
        """Take an experiment out of the bin. The errors are those of `restore_version`."""
        return self._restore(path("experiments", experiment), reason)

    def restore_run(self, experiment: str, run_id: str, reason: str | None = None) -> BinEntry:
        """Take a run out of the bin. The errors are those of `restore_version`."""
        return self._restore(path("experiments", experiment, "runs", run_id), reason)

    def delete_predictions(
        self,
        model_name: str,
        reason: str,
        *,
        prediction_ids: Sequence[str] = (),
        ids: Sequence[str | int] = (),
    ) -> PredictionDeletion:
        """Delete what is kept of predictions, for good: answers, labels, and the inputs sampled in their hours.

        Args:
            model_name: The registered model.
            reason: Kept in the history, so it should not name the person.
            prediction_ids: Ids in the answers.
            ids: Ids that you sent with the rows.

        Returns:
            What was deleted by all requests together. A request takes 1,000 ids.

        Raises:
            BadInput: There are no ids.
        """
        waiting = [*(("prediction_ids", id_) for id_ in prediction_ids), *(("ids", id_) for id_ in ids)]
        if not waiting:
            raise BadInput("name at least one id")
        answers: list[PredictionDeletion] = []
        while waiting:
            part, waiting = waiting[:IDS_SIZE], waiting[IDS_SIZE:]
            body: dict[str, Any] = {"model_name": model_name, "reason": reason, "prediction_ids": [], "ids": []}
            for kind, id_ in part:
                body[kind].append(id_)
            answers.append(decode(PredictionDeletion, self._post("/predictions/delete", body)))
            left = answers[-1].left
            again = [*(("prediction_ids", id_) for id_ in left.prediction_ids), *(("ids", id_) for id_ in left.ids)]
            waiting = [*again, *waiting]
        removed: Counter[str] = Counter()
        for answer in answers:
            removed.update(answer.removed)
        not_found = PredictionIds(
            prediction_ids=[id_ for answer in answers for id_ in answer.not_found.prediction_ids],
            ids=[id_ for answer in answers for id_ in answer.not_found.ids],
        )
        return replace(answers[-1], removed={**answers[-1].removed, **removed}, not_found=not_found)

    def delete_dataset(self, digest: str, reason: str) -> DeletedDataset:
        """Delete a data set, for good: its files in the platform's bucket, and the rows that its runs have kept.

        Args:
            digest: As `datasets` shows it.
            reason: Kept in the history.

        Raises:
            ApiError: A job reads it (status 409, code in_use), or it has no file to delete.
        """
        route = path("datasets", digest)
        return decode(DeletedDataset, self.transport.call("DELETE", route, query={"reason": reason}))

    def delete_batch_files(self, batch_id: str, reason: str) -> BatchFilesDeletion:
        """Delete what a batch prediction has written, with everything below the folder of its output, for good.

        Raises:
            ApiError: It is under way, or its output is in a bucket of your own (status 409).
        """
        route = path("batch-predictions", batch_id, "files")
        return decode(BatchFilesDeletion, self.transport.call("DELETE", route, query={"reason": reason}))

    def bin(self, limit: int = 50) -> Listing[BinEntry]:
        """Return at most `limit` of what is in the bin, the oldest first."""
        return self._pages("/bin", "entries", BinEntry, limit)

    def _delete(self, route: str, reason: str, force: bool = False) -> BinEntry:
        query: dict[str, Any] = {"reason": reason, "force": "true" if force else None}
        return decode(BinEntry, self.transport.call("DELETE", route, query=query))

    def _restore(self, route: str, reason: str | None) -> BinEntry:
        return decode(BinEntry, self._post(f"{route}/restore", given({"reason": reason})))
