"""Drift of the predictions."""

from __future__ import annotations

from mlops_client.models import DriftColumns, DriftHistory, DriftStatus
from mlops_client.records import decode
from mlops_client.routes.base import Routes


class DriftRoutes(Routes):
    """Read the drift of predictions."""

    def drift(
        self, model_name: str | None = None, baseline_hours: int | None = None, current_hours: int | None = None
    ) -> DriftStatus:
        """Return whether the predictions of the Production version have drifted.

        Args:
            model_name: The registered model. By default the platform's default model.
            baseline_hours: Length of the baseline in hours. It ends where the current window begins.
            current_hours: Length of the current window in hours.
        """
        query = {"model_name": model_name, "baseline_hours": baseline_hours, "current_hours": current_hours}
        return decode(DriftStatus, self.transport.call("GET", "/drift/status", query=query))

    def drift_columns(
        self,
        model_name: str | None = None,
        current_hours: int | None = None,
        column: str | None = None,
        moved: bool = False,
    ) -> DriftColumns:
        """Return the columns of a table model with both histograms: now, and of the rows held out in training.

        Args:
            model_name: The registered model. By default the platform's default model.
            current_hours: Length of the current window in hours.
            column: The name of one column.
            moved: Return only columns with a warning or an alert.
        """
        query = {"model_name": model_name, "current_hours": current_hours, "column": column, "moved": moved or None}
        return decode(DriftColumns, self.transport.call("GET", "/drift/columns", query=query))

    def drift_history(
        self, model_name: str | None = None, hours: int | None = None, step_hours: int | None = None
    ) -> DriftHistory:
        """Return the drift of the Production version over time.

        Args:
            model_name: The registered model. By default the platform's default model.
            hours: How many hours to look back.
            step_hours: Length of each window in hours.
        """
        query = {"model_name": model_name, "hours": hours, "step_hours": step_hours}
        return decode(DriftHistory, self.transport.call("GET", "/drift/history", query=query))
