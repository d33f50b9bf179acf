"""The pictures of the evaluation of a model that predicts a quantity. matplotlib is imported when one is drawn."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS_DRAWN = 5000
"""More points would only cover each other. Of more rows, evenly spaced ones are drawn."""
BINS = 40


def predictions(targets: np.ndarray, predicted: np.ndarray, title: str) -> "Figure":
    """Draw predicted against true values, both `[n]`: on the diagonal the model is right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.add_subplot()
    rows = _drawn(len(targets))
    axes.scatter(targets[rows], predicted[rows], s=8, alpha=0.4, linewidths=0)
    axes.axline((targets[0], targets[0]), slope=1, color="grey", linestyle=":")
    axes.set(xlabel="true", ylabel="predicted", title=title)
    return figure


def residuals(predicted: np.ndarray, lacking: np.ndarray, title: str) -> "Figure":
    """Draw how the residuals `lacking` are spread, and each against its prediction, both `[n]`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    spread, against = figure.subplots(1, 2)
    spread.hist(lacking, bins=BINS)
    spread.set(xlabel="true − predicted", ylabel="rows", title=title)
    rows = _drawn(len(predicted))
    against.scatter(predicted[rows], lacking[rows], s=8, alpha=0.4, linewidths=0)
    against.axhline(0, color="grey", linestyle=":")
    against.set(xlabel="predicted", ylabel="true − predicted")
    for axes in (spread, against):
        axes.locator_params(axis="x", nbins=5)  # Long numbers would cover each other.
    return figure


def _drawn(count: int) -> np.ndarray:
    """Return the indices of the rows that are drawn."""
    return np.linspace(0, count - 1, min(count, POINTS_DRAWN)).astype(int)
