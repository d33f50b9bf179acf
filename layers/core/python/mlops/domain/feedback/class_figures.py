"""How well a classifier was, from the totals of its labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops.domain.feedback.intervals import Estimate, Sums, bootstrap, total, wilson
from mlops.domain.feedback.outcome import CONFIDENCE_BINS, MILLION, SCORE_BINS, pair_of

MOST_CLASSES = 50
"""A larger confusion matrix is not shown."""


@dataclass(frozen=True)
class CalibrationBin:
    """The labels of predictions with a confidence in a tenth: their number, mean confidence and share of right ones."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class ClassFigures:
    """The figures.

    Attributes:
        labels: The classes that occur, true or predicted.
        confusion: Labels by true class (rows) and predicted class; empty for more than MOST_CLASSES classes.
        macro_f1: The mean of the F1 of these classes.
        log_loss: In nats; None if the probability of no true class is known.
        auc: Of two classes; None if only one of them has labels.
        auc_error: By how much the bins may have changed it.
        calibration: Tenths of confidence that have labels, by the tenth's number.
    """

    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    accuracy: Estimate
    macro_f1: Estimate
    log_loss: Estimate | None
    auc: Estimate | None
    auc_error: float | None
    calibration: Mapping[int, CalibrationBin]
    calibration_error: float


def class_figures(hours: Sequence[Sums]) -> ClassFigures:
    """Return the figures of the totals of hours, which have at least one label."""
    totals = total(hours)
    values, intervals = _figures(totals), bootstrap(hours, _figures)

    def estimate(name: str) -> Estimate | None:
        value = values[name]
        return None if value is None else Estimate(value, *intervals.get(name, (None, None)))

    pairs = {pair: count for name, count in totals.items() if (pair := pair_of(name)) is not None and count}
    labels = tuple(sorted({label for pair in pairs for label in pair}, key=_by_number))
    matrix: tuple[tuple[int, ...], ...] = ()
    if len(labels) <= MOST_CLASSES:
        matrix = tuple(tuple(pairs.get((true, predicted), 0) for predicted in labels) for true in labels)
    bins = {
        place: CalibrationBin(count, totals.get(f"c{place}", 0) / MILLION / count, totals.get(f"h{place}", 0) / count)
        for place in range(CONFIDENCE_BINS)
        if (count := totals.get(f"n{place}", 0))
    }
    auc, macro_f1, log_loss = estimate("auc"), estimate("macro_f1"), estimate("log_loss")
    assert macro_f1 is not None
    return ClassFigures(
        labels=labels,
        confusion=matrix,
        accuracy=wilson(totals.get("h", 0), totals["n"]),
        macro_f1=macro_f1,
        log_loss=log_loss,
        auc=auc,
        auc_error=None if auc is None else _auc(totals)[1],
        calibration=bins,
        calibration_error=sum(abs(part.confidence - part.accuracy) * part.count for part in bins.values())
        / totals["n"],
    )


def _figures(totals: Sums) -> dict[str, float | None]:
    true: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for name, count in totals.items():
        if (pair := pair_of(name)) is not None:
            true[pair[0]] += count
            predicted[pair[1]] += count
            if pair[0] == pair[1]:
                right[pair[0]] += count
    classes = {label for label in {*true, *predicted} if true[label] + predicted[label]}
    scores = [2 * right[label] / (true[label] + predicted[label]) for label in classes]
    count = totals.get("n", 0) - totals.get("v", 0)
    return {
        "macro_f1": sum(scores) / len(scores) if scores else None,
        "log_loss": totals.get("w", 0) / MILLION / count if count else None,
        "auc": _auc(totals)[0],
    }


def _auc(totals: Sums) -> tuple[float | None, float]:
    """Return the area under the ROC curve from binned scores, and by how much the bins may have changed it.

    Pairs of a positive and a negative one within a bin count half; their order would move the area by half at most.
    """
    positives = [totals.get(f"p{place:03}", 0) for place in range(SCORE_BINS)]
    negatives = [totals.get(f"q{place:03}", 0) for place in range(SCORE_BINS)]
    pairs = sum(positives) * sum(negatives)
    if not pairs:
        return None, 0.0
    below = ranked = tied = 0
    for positive, negative in zip(positives, negatives, strict=True):
        ranked += positive * below
        tied += positive * negative
        below += negative
    return (ranked + tied / 2) / pairs, tied / 2 / pairs


def _by_number(label: str) -> tuple[int, int, str]:
    return (0, int(label), "") if label.isdecimal() else (1, 0, label)
