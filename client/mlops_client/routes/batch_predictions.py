"""Batch predictions: all rows of files in S3, or of a file on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from mlops_client.errors import BadInput
from mlops_client.listing import Listing
from mlops_client.models import BatchPredictionState, DataUpload, ServedModelFile, SignedFile
from mlops_client.records import decode, decode_page
from mlops_client.routes.base import Routes, given
from mlops_client.running import RunningBatchPrediction
from mlops_client.transport import path as route_of


class BatchPredictionRoutes(Routes):
    """Start, follow and cancel batch predictions."""

    def batch_predict(
        self,
        model_name: str,
        input: str,
        output: str,
        *,
        stage: str | None = None,
        keep: list[str] | None = None,
        max_rejected: float | None = None,
        probabilities: bool | None = None,
        shard_mb: int | None = None,
        idempotency_key: str | None = None,
    ) -> RunningBatchPrediction:
        """Answer all rows of files in S3, with the version that serves now. Call `wait()` on the result.

        Args:
            model_name: The registered model.
            input: The s3:// address of a file (.parquet, .csv, .tsv, .jsonl, .ndjson; the text formats also as .gz or
                .zst), or one that ends in / for all such files below it.
            output: The s3:// address of a folder with nothing in it.
            stage: Production or Staging.
            keep: Columns that are copied beside the answers.
            max_rejected: The share of rows that may be set aside.
            probabilities: Whether to write the probability of each class.
            shard_mb: About how many megabytes of input a job does.
            idempotency_key: Requests with the same key are carried out only once.
        """
        named = {name: value for name, value in locals().items() if name not in ("self", "idempotency_key")}
        state = decode(BatchPredictionState, self._post("/batch-predictions", given(named), key=idempotency_key))
        return RunningBatchPrediction(self, state.batch_id)

    def batch_prediction(self, batch_id: str) -> BatchPredictionState:
        """Return how far a batch prediction is."""
        return decode(BatchPredictionState, self.transport.call("GET", route_of("batch-predictions", batch_id)))

    def batch_predictions(self, limit: int = 20) -> Listing[BatchPredictionState]:
        """Return at most `limit` batch predictions, the newest first."""
        return self._pages("/batch-predictions", "batch_predictions", BatchPredictionState, limit)

    def cancel_batch_prediction(self, batch_id: str) -> BatchPredictionState:
        """Cancel a batch prediction."""
        return decode(BatchPredictionState, self.transport.call("DELETE", route_of("batch-predictions", batch_id)))

    def batch_prediction_files(self, batch_id: str) -> list[SignedFile]:
        """Return the files of a batch prediction that has completed, with addresses that serve them for an hour."""
        answer = self.transport.call("GET", route_of("batch-predictions", batch_id, "files"))
        return decode_page(SignedFile, answer, "files")

    def upload_data(self, file: str | Path) -> str:
        """Upload a file that is to be scored, unless it is there already, and return its s3:// address.

        Raises:
            BadInput: The file cannot be read.
        """
        path = Path(file)
        try:
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
                asked: dict[str, Any] = {"name": path.name, "sha256": digest, "size": path.stat().st_size}
                answer = self.transport.call("POST", "/batch-predictions/uploads", asked, safe=True)
                upload = decode(DataUpload, answer)
                if upload.url is not None:
                    content.seek(0)
                    self.transport.upload(upload.url, content, upload.headers)
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror}") from None
        return upload.input

    def served_model_file(self, model_name: str, stage: str | None = None) -> ServedModelFile:
        """Return the address of the ONNX file of the version that serves a stage, by default Production."""
        answer = self.transport.call("GET", route_of("models", model_name, "file"), query={"stage": stage})
        return decode(ServedModelFile, answer)
