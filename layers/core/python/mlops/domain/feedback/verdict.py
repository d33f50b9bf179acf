"""Whether a version does worse than on its held-out rows, beyond chance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from mlops.domain.feedback.class_figures import ClassFigures
from mlops.domain.feedback.quantity_figures import QuantityFigures

ALPHA = 0.01 / 30
"""Allowed probability that a check finds something where nothing is. Checks of the same day share most labels, so in 30
days a false alarm has a probability of about 1 %."""
_Z = NormalDist().inv_cdf(1 - ALPHA)


class Performance(StrEnum):
    INSUFFICIENT_DATA = "insufficient_data"
    OK = "ok"
    DEGRADED = "degraded"


@dataclass(frozen=True)
class Needs:
    """What a verdict needs: labels of so many predictions, and of such a share of those that were kept."""

    labels: int
    coverage: float


@dataclass(frozen=True)
class TooYoung:
    """Labels of predictions that are not old enough for a verdict yet.

    Attributes:
        labels: How many there are.
        first, last: When the first and the last of them count, ISO 8601 in UTC.
    """

    labels: int
    first: str
    last: str

    def __str__(self) -> str:
        when = f"from {self.first}" if self.first == self.last else f"between {self.first} and {self.last}"
        return f"{self.labels:,} more are of predictions that are too young, and count {when}"


@dataclass(frozen=True)
class HeldOut:
    """What the version scored on its held-out rows. `rows` is 0 if their number is not known."""

    rows: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Judgement:
    """A verdict, the figure that it is about, and the reason in a sentence."""

    verdict: Performance
    metric: str | None
    message: str


def judge(
    figures: ClassFigures | QuantityFigures | None,
    labels: int,
    kept: int,
    held_out: HeldOut | None,
    needs: Needs,
    young: TooYoung | None = None,
) -> Judgement:
    """Compare the figures of labels with those of the held-out rows.

    Accuracies are compared by a one-sided test of two shares, mean errors by one of two means. Both take into account
    that the held-out rows are a sample too.

    Args:
        figures: Of the labels; None without labels.
        labels: How many there are.
        kept: How many predictions were kept, with a label or without.
        held_out: Figures of the held-out rows; None if no manifest has them.
        needs: What a verdict needs.
        young: The labels of predictions that are not old enough yet; None if there are none.
    """
    later = f". {young}" if young is not None else ""
    if figures is None or labels < needs.labels:
        return _none(f"{labels:,} labels; a verdict needs {needs.labels:,}{later}")
    coverage = labels / kept if kept else 0.0
    if coverage < needs.coverage:
        return _none(f"{coverage:.0%} of the predictions have a label; a verdict needs {needs.coverage:.0%}{later}")
    name = "accuracy" if isinstance(figures, ClassFigures) else "mae"
    before = held_out.metrics.get(name) if held_out is not None else None
    if held_out is None or before is None or not held_out.rows:
        return _none(f"no manifest says the {name} of the held-out rows, or how many they were", name)
    if isinstance(figures, ClassFigures):
        return _of_accuracy(figures, labels, before, held_out.rows)
    return _of_errors(figures, labels, before, held_out)


def _of_accuracy(figures: ClassFigures, labels: int, before: float, rows: int) -> Judgement:
    now = figures.accuracy.value
    pooled = (now * labels + before * rows) / (labels + rows)
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / labels + 1 / rows))
    is_worse = before - now > _Z * deviation
    text = f"{now:.1%} of {labels:,} labels are right; of {rows:,} held-out rows {before:.1%} were"
    return _judged(is_worse, "accuracy", text)


def _of_errors(figures: QuantityFigures, labels: int, before: float, held_out: HeldOut) -> Judgement:
    now = figures.mae.value
    spread_before = math.sqrt(max(0.0, held_out.metrics.get("rmse", before) ** 2 - before**2))
    deviation = math.sqrt(figures.spread**2 / labels + spread_before**2 / held_out.rows)
    text = f"the mean error of {labels:,} labels is {now:.4g}; of {held_out.rows:,} held-out rows it was {before:.4g}"
    return _judged(now - before > _Z * deviation, "mae", text)


def _judged(is_worse: bool, metric: str, text: str) -> Judgement:
    if is_worse:
        return Judgement(Performance.DEGRADED, metric, f"{text}: that is worse, beyond chance")
    return Judgement(Performance.OK, metric, f"{text}: that is not worse, or may be chance")


def _none(text: str, metric: str | None = None) -> Judgement:
    return Judgement(Performance.INSUFFICIENT_DATA, metric, text)
