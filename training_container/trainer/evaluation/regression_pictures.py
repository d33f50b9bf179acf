"""The pictures of the evaluation of a model that predicts a quantity. matplotlib is imported when one is drawn."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from trainer.evaluation.regression import Regression

POINTS_DRAWN = 5000
"""More points would only cover each other. Of more rows, evenly spaced ones are drawn."""
BINS = 40


def predictions(evaluation: "Regression") -> "Figure":
    """Draw predicted against true values: on the diagonal the model is right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.add_subplot()
    rows = _drawn(evaluation.count)
    axes.scatter(evaluation.targets[rows], evaluation.predictions[rows], s=8, alpha=0.4, linewidths=0)
    axes.axline((evaluation.targets[0], evaluation.targets[0]), slope=1, color="grey", linestyle=":")
    explained = "" if evaluation.r2 is None else f", R² {evaluation.r2:.4f}"
    axes.set(xlabel="true", ylabel="predicted", title=f"RMSE {evaluation.rmse:.4g}{explained}")
    return figure


def residuals(evaluation: "Regression") -> "Figure":
    """Draw how the residuals are spread, and each against its prediction."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    spread, against = figure.subplots(1, 2)
    spread.hist(evaluation.residuals, bins=BINS)
    spread.set(xlabel="true − predicted", ylabel="rows", title=f"mean absolute error {evaluation.mae:.4g}")
    rows = _drawn(evaluation.count)
    against.scatter(evaluation.predictions[rows], evaluation.residuals[rows], s=8, alpha=0.4, linewidths=0)
    against.axhline(0, color="grey", linestyle=":")
    against.set(xlabel="predicted", ylabel="true − predicted")
    for axes in (spread, against):
        axes.locator_params(axis="x", nbins=5)  # Long numbers would cover each other.
    return figure


def _drawn(count: int) -> np.ndarray:
    """Return the indices of the rows that are drawn."""
    return np.linspace(0, count - 1, min(count, POINTS_DRAWN)).astype(int)
