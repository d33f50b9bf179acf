"""The routes of batch predictions: start, status, list, cancel, upload of inputs, download of answers and models."""

from typing import Any

from fastapi import APIRouter, Request

from batch_predictions.following import BatchPredictions
from batch_predictions.starting import BatchPredictionStarts
from mlops.api.auth import require_name
from mlops.api.http import CurrentCaller, IdempotencyKey, lambda_handler, request_id_of
from mlops.api.idempotency import once
from mlops.api.pagination import Cursor, SmallPageSize
from mlops.api.schemas.batch_predictions import (
    BatchPredictionFileList,
    BatchPredictionList,
    BatchPredictionState,
    DataUpload,
    ServedModelFile,
)
from mlops.domain.batch_prediction import (
    BatchPredictionId,
    BatchPredictionRequest,
    DataUploadRequest,
    ServingStage,
)
from mlops.domain.names import ModelName

router = APIRouter(tags=["batch predictions"])


@router.post("/batch-predictions", status_code=202, response_model=BatchPredictionState)
def start_batch_prediction(
    body: BatchPredictionRequest, request: Request, caller: CurrentCaller, key: IdempotencyKey = None
) -> Any:
    """Answer all rows of a file or a folder of files, with the version that serves now, and write the answers to S3.

    The answer comes at once; GET /batch-predictions/{batch_id} follows it.
    """
    require_name(caller, body.model_name)
    starts = BatchPredictionStarts.from_environment()
    return once(
        lambda: starts.start(body, caller.name, request_id_of(request)).model_dump(mode="json"),
        caller=caller.name,
        route="batch-predictions",
        key=key,
        body=body.model_dump(mode="json"),
        context=request.scope["aws.context"],
    )


@router.get("/batch-predictions")
def list_batch_predictions(
    caller: CurrentCaller, limit: SmallPageSize = 20, cursor: Cursor = None
) -> BatchPredictionList:
    """List the batch predictions of models that the key is for, newest first."""
    return BatchPredictions.from_environment().page(limit, cursor, caller)


@router.get("/batch-predictions/{batch_id}")
def batch_prediction_status(batch_id: BatchPredictionId, caller: CurrentCaller) -> BatchPredictionState:
    """Get a batch prediction: its status, how many shards and rows are done, and how many rows were set aside."""
    return BatchPredictions.from_environment().state(batch_id, caller)


@router.delete("/batch-predictions/{batch_id}", status_code=202)
def cancel_batch_prediction(batch_id: BatchPredictionId, caller: CurrentCaller) -> BatchPredictionState:
    """Cancel a batch prediction that has not ended. Only an admin's key can cancel what another key has started."""
    return BatchPredictions.from_environment().cancel(batch_id, caller)


@router.get("/batch-predictions/{batch_id}/files")
def batch_prediction_files(batch_id: BatchPredictionId, caller: CurrentCaller) -> BatchPredictionFileList:
    """List the files of a batch prediction that has completed, with addresses that serve them."""
    return BatchPredictions.from_environment().written_files(batch_id, caller)


@router.post("/batch-predictions/uploads")
def upload_data(body: DataUploadRequest) -> DataUpload:
    """Ask where to upload a file that is to be scored."""
    return BatchPredictions.from_environment().upload(body)


@router.get("/models/{name}/file", tags=["models"])
def model_file(name: ModelName, caller: CurrentCaller, stage: ServingStage = "Production") -> ServedModelFile:
    """Get an address that serves the ONNX file of a version that serves, which has its contract within."""
    require_name(caller, name)
    return BatchPredictions.from_environment().model_file(name, stage)


handler = lambda_handler(router, changes="train")
