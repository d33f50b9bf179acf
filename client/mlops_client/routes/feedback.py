"""Labels of predictions, and how well the predictions were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_client.defaults import DEFAULT_MODEL
from mlops_client.listing import Listing
from mlops_client.models import (
    FeedbackAccepted,
    FeedbackBatchResult,
    LabelImportState,
    PerformanceHistory,
    PerformanceStatus,
)
from mlops_client.records import decode
from mlops_client.routes.base import Routes, given
from mlops_client.transport import path as route_of

LABELS_SIZE = 1000
"""The API's limit of labels per request."""


class FeedbackRoutes(Routes):
    """Give labels, and read what they say of models."""

    def feedback(
        self,
        label: float | str,
        prediction_id: str | None = None,
        *,
        id: str | int | None = None,
        row: int | None = None,
        observed_at: str | None = None,
        replace: bool = False,
        model_name: str = DEFAULT_MODEL,
    ) -> FeedbackAccepted:
        """Tell what became known of a prediction.

        Args:
            label: The true label or quantity.
            prediction_id: The id in the answer.
            id: In place of it, the id that you sent with the row.
            row: With a prediction_id, the number of the row in its request, from 0.
            observed_at: When the label became known, RFC 3339.
            replace: Whether to replace another label of the same prediction.
            model_name: The registered model.

        Raises:
            Conflict: The prediction has another label, and `replace` is false.
        """
        fields = {"prediction_id": prediction_id, "id": id, "row": row, "label": label, "observed_at": observed_at}
        body = {**given(fields), "replace": replace, "model_name": model_name}
        return decode(FeedbackAccepted, self._post("/feedback", body))

    def feedback_batch(self, labels: Sequence[dict[str, Any]], model_name: str = DEFAULT_MODEL) -> FeedbackBatchResult:
        """Tell what became known of many predictions. One that is refused does not stop the others.

        Args:
            labels: Dicts with `label`, `prediction_id` or `id`, and if you like `row`, `observed_at` and `replace`.
                More than 1,000 are sent in several requests.
            model_name: The registered model.

        Returns:
            The results in the order of the labels.
        """
        answers = [
            decode(
                FeedbackBatchResult,
                self._post(
                    "/feedback/batch",
                    {"model_name": model_name, "labels": list(labels[start : start + LABELS_SIZE])},
                ),
            )
            for start in range(0, len(labels), LABELS_SIZE)
        ]
        counts: dict[str, int] = {}
        for answer in answers:
            for status, count in answer.counts.items():
                counts[status] = counts.get(status, 0) + count
        return FeedbackBatchResult(results=[result for answer in answers for result in answer.results], counts=counts)

    def import_labels(self, input: str, model_name: str = DEFAULT_MODEL, *, replace: bool = False) -> LabelImportState:
        """Start a job that takes the labels in files in S3. `label_import` follows it.

        Args:
            input: The s3:// address of a file (.parquet, .csv, .tsv, .jsonl, .ndjson; the text formats also as .gz or
                .zst), or one that ends in / for all such files below it. Columns are `prediction_id` or `id`, `label`,
                and if you like `row` and `observed_at`.
            model_name: The registered model.
            replace: Whether to replace other labels of the same predictions.
        """
        body = {"model_name": model_name, "input": input, "replace": replace}
        return decode(LabelImportState, self._post("/feedback/imports", body))

    def label_import(self, import_id: str) -> LabelImportState:
        """Return how far an import of labels is."""
        return decode(LabelImportState, self.transport.call("GET", route_of("feedback", "imports", import_id)))

    def label_imports(self, limit: int = 20) -> Listing[LabelImportState]:
        """Return at most `limit` imports of labels, the newest first."""
        return self._pages("/feedback/imports", "imports", LabelImportState, limit)

    def performance(
        self, model_name: str | None = None, hours: int | None = None, delay_hours: int | None = None
    ) -> PerformanceStatus:
        """Return how well each version predicted, by its labels, and whether that is worse than in training.

        Args:
            model_name: The registered model. By default the platform's default model.
            hours: How many hours of predictions to look back.
            delay_hours: Verdicts are about predictions that are older than this.
        """
        query = {"model_name": model_name, "hours": hours, "delay_hours": delay_hours}
        return decode(PerformanceStatus, self.transport.call("GET", "/performance/status", query=query))

    def performance_history(
        self,
        model_name: str | None = None,
        model_version: int | None = None,
        hours: int | None = None,
        step_hours: int | None = None,
    ) -> PerformanceHistory:
        """Return how well a version predicted over time, by the time of its predictions.

        Args:
            model_name: The registered model. By default the platform's default model.
            model_version: The version. By default the one in Production.
            hours: How many hours of predictions to look back.
            step_hours: Length of each point in hours.
        """
        query = {"model_name": model_name, "model_version": model_version, "hours": hours, "step_hours": step_hours}
        return decode(PerformanceHistory, self.transport.call("GET", "/performance/history", query=query))
