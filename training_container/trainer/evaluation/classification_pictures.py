"""The pictures of a classifier's evaluation. matplotlib is imported when one is drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trainer.data import Label
from trainer.evaluation.curves import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELLS_WRITTEN = 20
LEGEND_LENGTH = 10
TICK_LENGTH = 20


def confusion(labels: Sequence[Label], counts: np.ndarray, title: str) -> "Figure":
    """Draw the confusion matrix `counts[true, predicted]`; the shade is the share, so rare classes show too."""
    from matplotlib.figure import Figure

    classes = len(labels)
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.add_subplot()
    sums = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(sums > 0, sums, 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, label="share of the true class")
    if classes <= CELLS_WRITTEN:
        # A label is text, not a formula, also if it has two dollar signs.
        ticks = [shortened(label) for label in labels]
        axes.set_xticks(range(classes), ticks, parse_math=False)
        axes.set_yticks(range(classes), ticks, parse_math=False)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, f"{count:.10g}", ha="center", va="center", color=colour, fontsize=8)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    return figure


def calibration(confidence: np.ndarray, accuracy: np.ndarray, title: str) -> "Figure":
    """Draw the accuracy of bins against their confidence: on the diagonal the model is as sure as it is right."""
    figure, axes = _square()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.plot(confidence, accuracy, marker="o")
    axes.set(xlabel="confidence", ylabel="accuracy", title=title)
    return figure


def roc(curves: Sequence[tuple[Label, Curve]], title: str) -> "Figure":
    """Draw the ROC curve of each class against the others; the diagonal is a guess."""
    figure, axes = _square()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    for label, curve in curves:
        rate, recall = (np.concatenate([[0.0], values]) for values in (curve.false_positive_rate, curve.recall))
        axes.plot(rate, recall, label=_named(label, curve.area()))
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title=title)
    _legend(axes, len(curves))
    return figure


def precision_recall(curves: Sequence[tuple[Label, Curve]], title: str) -> "Figure":
    """Draw precision against recall of each class."""
    figure, axes = _square()
    for label, curve in curves:
        axes.step(curve.recall, curve.precision, where="pre", label=_named(label, curve.average_precision()))
    axes.set(xlabel="recall", ylabel="precision", title=title)
    _legend(axes, len(curves))
    return figure


def shortened(label: Label, length: int = TICK_LENGTH) -> str:
    """Return a label that fits into a picture."""
    text = str(label)
    return text if len(text) <= length else text[: length - 1] + "…"


def _square() -> "tuple[Figure, Axes]":
    """Return a figure whose axes go from 0 to 1."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    return figure, axes


def _named(label: Label, value: float) -> str:
    # Matplotlib leaves out of the legend what begins with an underscore.
    return f"class {shortened(label, LEGEND_LENGTH)}: {value:.3f}"


def _legend(axes: "Axes", lines: int) -> None:
    legend = axes.legend(fontsize=7, ncols=1 if lines <= 10 else 2)
    for text in legend.get_texts():
        text.set_parse_math(False)
