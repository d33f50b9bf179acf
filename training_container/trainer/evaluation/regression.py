"""How good a model is that predicts a quantity."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.evaluation import regression_pictures as pictures
from trainer.evaluation.protocol import Picture
from trainer.evaluation.weighting import row_weights

QUANTILES = {"error_p50": 0.5, "error_p90": 0.9, "error_p99": 0.99}
"""Quantiles of the absolute error: so many of the rows are at most so far off."""
RESIDUAL_BINS = 20


@dataclass(frozen=True, eq=False)
class Regression:
    """How good a model is.

    `predictions` and `targets` are float64 `[n]`, in the unit of the target, as are `rmse`, `mae` and the error
    quantiles. `r2` is the share of the target's variance that the model explains: 1 is perfect, 0 is as good as the
    mean. It is None if all targets are equal. If rows have weights, all figures are weighted.
    """

    predictions: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    rmse: float
    mae: float
    r2: float | None
    error_quantiles: dict[str, float]

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.targets)

    @property
    def residuals(self) -> np.ndarray:
        """What the predictions lack, float64 `[n]`: target minus prediction."""
        lacking: np.ndarray = self.targets - self.predictions
        return lacking

    def metrics(self) -> dict[str, float]:
        """The figures that are logged, compared and ranked by."""
        explained = {} if self.r2 is None else {"r2": self.r2}
        return {"rmse": self.rmse, "mae": self.mae, **explained, **self.error_quantiles}

    def class_metrics(self) -> dict[str, float]:
        """None: a quantity has no classes."""
        return {}

    def to_document(self) -> dict[str, Any]:
        """All figures as a JSON object, with a histogram of the residuals."""
        counts, edges = np.histogram(self.residuals, bins=RESIDUAL_BINS)
        residuals = {"counts": counts.tolist(), "edges": edges.tolist()}
        return {"count": self.count, **self.metrics(), "residuals": residuals}

    def pictures(self) -> dict[str, Picture]:
        """What draws each picture."""
        explained = "" if self.r2 is None else f", R² {self.r2:.4f}"
        squared, absolute = f"RMSE {self.rmse:.4g}{explained}", f"mean absolute error {self.mae:.4g}"
        return {
            "predictions.png": lambda: pictures.predictions(self.targets, self.predictions, squared),
            "residuals.png": lambda: pictures.residuals(self.predictions, self.residuals, absolute),
        }


def evaluate_regression(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None) -> Regression:
    """Measure predictions against the truth.

    Args:
        predictions: float32 `[n]` or `[n, 1]`.
        targets: float64 `[n]`.
        weights: How much each row counts, float32 `[n]`; None counts all alike.

    Raises:
        DataError: All weights are 0.
    """
    predicted, truth = predictions.reshape(-1).astype(np.float64), targets.astype(np.float64)
    weight = row_weights(weights, len(truth))
    errors = np.abs(truth - predicted)
    squared = float(np.average(errors**2, weights=weight))
    spread = float(np.average((truth - np.average(truth, weights=weight)) ** 2, weights=weight))
    # An error that a row has, so that rows of weight 1 count as rows without weights do.
    quantiles = np.quantile(errors, list(QUANTILES.values()), weights=weight, method="inverted_cdf")
    return Regression(
        predictions=predicted,
        targets=truth,
        weights=weight,
        rmse=float(np.sqrt(squared)),
        mae=float(np.average(errors, weights=weight)),
        r2=1 - squared / spread if spread > 0 else None,
        error_quantiles=dict(zip(QUANTILES, quantiles.tolist(), strict=True)),
    )
