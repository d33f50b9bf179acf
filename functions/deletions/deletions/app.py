"""The routes of what is deleted and restored."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from deletions.batch_files import BatchFileDeletions
from deletions.datasets import DatasetDeletions
from deletions.experiments import Experiment, ExperimentDeletions
from deletions.predictions import PredictionDeletions
from mlops.api.auth import Caller, require_all, require_name
from mlops.api.http import CurrentCaller, PathText, lambda_handler
from mlops.api.pagination import Cursor, PageSize, SmallPageSize
from mlops.api.schemas.batch_predictions import BatchFilesDeletion
from mlops.api.schemas.bin import BinEntry, BinList, Cleanup, CleanupList, DeletionReason, RestoreRequest
from mlops.api.schemas.dataset_deletions import DatasetDigest, DatasetVersion, DeletedDataset
from mlops.api.schemas.prediction_deletions import PredictionDeletion, PredictionDeletionRequest
from mlops.aws.bin import Bin
from mlops.domain import bin as records
from mlops.domain.batch_prediction import BatchPredictionId
from mlops.domain.pagination import decode_cursor, encode_cursor
from mlops.removal.deletions import Deletions, Wish

router = APIRouter()
# Whatever MLflow has registered can be deleted, though not every name can be served.
RegisteredName = Annotated[PathText, Path(description="Name of a registered model")]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="Version of the model")]
ExperimentRef = Annotated[PathText, Path(description="Name or id of an experiment; a slash in the name is sent as %2F")]
RunsForce = Annotated[bool, Query(description="Also delete runs that MLflow says have not ended")]
Force = Annotated[bool, Query(description="Also delete what a rollback can bring back")]


@router.delete("/models/{name}/versions/{version}", tags=["models"])
def delete_version(
    name: RegisteredName,
    version: VersionNumber,
    caller: CurrentCaller,
    reason: DeletionReason,
    force: Force = False,
) -> BinEntry:
    """Put a version into the bin. It can be restored for 30 days, and is purged after that.

    What serves, what something is under way with, and what a rollback can bring back is refused with 409, which has
    the reasons.
    """
    require_name(caller, name)
    return _shown(Deletions.from_environment().delete_version(name, version, Wish.of(caller, reason, force)))


@router.post("/models/{name}/versions/{version}/restore", tags=["models"])
def restore_version(
    name: RegisteredName, version: VersionNumber, caller: CurrentCaller, body: RestoreRequest | None = None
) -> BinEntry:
    """Take a version out of the bin. It is what it was before."""
    require_name(caller, name)
    reason = body.reason if body else None
    return _shown(Deletions.from_environment().restore_version(name, version, caller, reason))


@router.delete("/models/{name}", tags=["models"])
def delete_model(name: RegisteredName, caller: CurrentCaller, reason: DeletionReason, force: Force = False) -> BinEntry:
    """Put a model into the bin, with all its versions, none of which may be in use."""
    require_name(caller, name)
    return _shown(Deletions.from_environment().delete_model(name, Wish.of(caller, reason, force)))


@router.post("/models/{name}/restore", tags=["models"])
def restore_model(name: RegisteredName, caller: CurrentCaller, body: RestoreRequest | None = None) -> BinEntry:
    """Take a model out of the bin, with the versions that were deleted with it."""
    require_name(caller, name)
    return _shown(Deletions.from_environment().restore_model(name, caller, body.reason if body else None))


@router.delete("/experiments/{experiment}", tags=["experiments"])
def delete_experiment(
    experiment: ExperimentRef, caller: CurrentCaller, reason: DeletionReason, force: RunsForce = False
) -> BinEntry:
    """Put an experiment into the bin, with all its runs.

    Refused with 409 while a run of it has not ended, or has made a version that is not in the bin.
    """
    deletions, found = _experiment(experiment, caller)
    return _shown(deletions.delete(found, Wish.of(caller, reason, force)))


@router.post("/experiments/{experiment}/restore", tags=["experiments"])
def restore_experiment(
    experiment: ExperimentRef, caller: CurrentCaller, body: RestoreRequest | None = None
) -> BinEntry:
    """Take an experiment out of the bin, with the runs that were not deleted by themselves."""
    deletions, found = _experiment(experiment, caller)
    return _shown(deletions.restore(found, caller, body.reason if body else None))


@router.delete("/experiments/{experiment}/runs/{run_id}", tags=["experiments"])
def delete_run(
    experiment: ExperimentRef,
    run_id: str,
    caller: CurrentCaller,
    reason: DeletionReason,
    force: RunsForce = False,
) -> BinEntry:
    """Put a run into the bin. Refused as for an experiment."""
    deletions, found = _experiment(experiment, caller)
    return _shown(deletions.delete_run(found, run_id, Wish.of(caller, reason, force)))


@router.post("/experiments/{experiment}/runs/{run_id}/restore", tags=["experiments"])
def restore_run(
    experiment: ExperimentRef, run_id: str, caller: CurrentCaller, body: RestoreRequest | None = None
) -> BinEntry:
    """Take a run out of the bin."""
    deletions, found = _experiment(experiment, caller)
    return _shown(deletions.restore_run(found, run_id, caller, body.reason if body else None))


@router.delete("/datasets/{digest}", tags=["experiments"])
def delete_dataset(digest: DatasetDigest, caller: CurrentCaller, reason: DeletionReason) -> DeletedDataset:
    """Delete a data set, for good: its files in the platform's bucket, and the rows that its runs have kept.

    Models stay and serve, but their proof cannot be asked again, and nothing can be trained on the data any more.
    Refused with 409 while a job reads it. If `completed_at` is null, the rest is done within the hour, or by the same
    request.
    """
    deletions = DatasetDeletions.from_environment()
    use = deletions.use(digest)
    for experiment in use.experiments:
        require_name(caller, experiment, "experiment")
    for version in use.versions:
        require_name(caller, version.model_name)
    found = deletions.delete(use, Wish.of(caller, reason))
    return DeletedDataset(
        **found.to_record() | {"runs": len(use.runs)},
        versions=[DatasetVersion(model_name=each.model_name, version=each.version) for each in use.versions],
    )


@router.post("/predictions/delete", tags=["feedback"])
def delete_predictions(body: PredictionDeletionRequest, caller: CurrentCaller) -> PredictionDeletion:
    """Delete what is kept of predictions: their answers and labels, and the inputs that were sampled in their hours.

    Nothing of it can be restored. What comes late, such as a line of the log, is not kept any more, and a label of a
    deleted prediction is refused with 410. The request can be repeated.
    """
    require_name(caller, body.model_name)
    return PredictionDeletions.from_environment().delete(body, caller)


@router.delete("/batch-predictions/{batch_id}/files", tags=["batch predictions"])
def delete_batch_files(
    batch_id: BatchPredictionId, caller: CurrentCaller, reason: DeletionReason
) -> BatchFilesDeletion:
    """Delete what a batch prediction has written, with everything below the folder of its output, for good.

    Refused with 409 while it is under way, and if the output is in a bucket of your own. The record stays, and so do
    the input, and answers whose labels were imported, until FeedbackDays are over or POST /predictions/delete.
    """
    deletions = BatchFileDeletions.from_environment()
    batch = deletions.find(batch_id)
    require_name(caller, batch.model_name)
    return deletions.delete(batch, Wish.of(caller, reason))


@router.get("/bin", tags=["bin"])
def list_bin(caller: CurrentCaller, limit: PageSize = 50, cursor: Cursor = None) -> BinList:
    """List what is in the bin of the models and experiments that the key is for, the oldest first."""
    entries = [entry for entry in Bin.from_environment().records.all() if caller.grant.covers(entry.name)]
    after = decode_cursor(cursor) if cursor else ""
    page = [entry for entry in entries if entry.entry_id > after]
    return BinList(
        entries=[_shown(entry) for entry in page[:limit]],
        total_count=len(entries),
        next_cursor=encode_cursor(page[limit - 1].entry_id) if len(page) > limit else None,
    )


@router.get("/cleanups", tags=["bin"])
def list_cleanups(caller: CurrentCaller, limit: SmallPageSize = 10) -> CleanupList:
    """List the last weekly cleanups, the newest first: what they purged and removed, and how much that freed."""
    require_all(caller, "GET /cleanups, which names all models,")
    found = Bin.from_environment().history.governance.cleanups.latest(limit)
    return CleanupList(cleanups=[Cleanup.model_validate(each, from_attributes=True) for each in found])


def _experiment(name_or_id: str, caller: Caller) -> tuple[ExperimentDeletions, Experiment]:
    """Return an experiment that the caller's key is for, deleted or not. Raises NotFound, Forbidden."""
    deletions = ExperimentDeletions.from_environment()
    found = deletions.experiment(name_or_id)
    require_name(caller, found["name"], "experiment")
    return deletions, found


def _shown(entry: records.BinEntry) -> BinEntry:
    return BinEntry.model_validate(entry, from_attributes=True)


handler = lambda_handler(router)
