"""The totals of a version's labels, and what they are compared with."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.stats_table import PredictionStats, Series, hours_before
from mlops.domain.drift.counts import KEPT
from mlops.domain.feedback import outcome
from mlops.domain.feedback.class_figures import ClassFigures, class_figures
from mlops.domain.feedback.intervals import total
from mlops.domain.feedback.outcome import REFUSED, Totals, are_of_quantities, unit_of
from mlops.domain.feedback.quantity_figures import QuantityFigures, quantity_figures
from mlops.domain.feedback.verdict import HeldOut, TooYoung
from mlops.domain.manifest import Manifest
from mlops.domain.stages import ALIASES


@dataclass(frozen=True)
class Cohort:
    """The predictions of some hours.

    Attributes:
        kept: How many were kept, with a label or without.
        hours: The totals of the hours that have labels, in order.
        predictions: The counts of all predictions, by hour and stage.
        labelled: The hours that have labels, in order, as `hours_before` has them.
    """

    kept: int
    hours: Sequence[Totals]
    predictions: Sequence[Mapping[str, int]] = ()
    labelled: Sequence[str] = ()

    @property
    def labels(self) -> int:
        return sum(hour["n"] for hour in self.hours)

    @property
    def refused(self) -> int:
        return sum(hour[REFUSED] for hour in self.hours)

    @property
    def coverage(self) -> float | None:
        return round(self.labels / self.kept, 6) if self.kept else None

    def figures(self) -> ClassFigures | QuantityFigures | None:
        """Return how well the predictions were; None without labels, or if their sums have different units."""
        if not self.labels:
            return None
        totals = total(self.hours)
        if not are_of_quantities(totals):
            return class_figures(self.hours)
        unit = unit_of(totals)
        return None if unit is None else quantity_figures(self.hours, unit)


class Cohorts:
    def __init__(self, table: FeedbackTable, stats: PredictionStats) -> None:
        self._totals, self._stats = table.totals, stats

    def since(self, model_name: str, version: int, first: str, last_mature: str) -> tuple[Cohort, Cohort]:
        """Return a version's predictions from the hour `first` on, and those of them up to `last_mature`, included."""
        predictions = [
            each for stage in ALIASES for each in self._stats.hours(Series(model_name, version, stage.value), first)
        ]
        labels = list(self._totals.hours(model_name, version, first))
        mature = _cohort(
            [each for each in predictions if each[0] <= last_mature],
            [each for each in labels if each[0] <= last_mature],
        )
        return _cohort(predictions, labels), mature

    def by_hour(self, model_name: str, version: int, first: str) -> tuple[Totals, dict[str, Totals]]:
        """Return the kept predictions by hour, and the totals of labels by the hour of their predictions."""
        kept: Totals = Counter()
        for stage in ALIASES:
            for hour, counts in self._stats.hours(Series(model_name, version, stage.value), first):
                kept[hour] += counts.get(KEPT, 0)
        labels = dict(self._totals.hours(model_name, version, first))
        kept.update({hour: totals[outcome.KEPT] for hour, totals in labels.items()})
        return kept, labels


def _cohort(predictions: Sequence[tuple[str, Mapping[str, int]]], labels: Sequence[tuple[str, Totals]]) -> Cohort:
    counts, totals = [each for _, each in predictions], [each for _, each in labels]
    kept = sum(each.get(KEPT, 0) for each in counts) + sum(each[outcome.KEPT] for each in totals)
    return Cohort(kept, totals, counts, [hour for hour, each in labels if each["n"]])


def too_young(whole: Cohort, mature: Cohort, delay_hours: int) -> TooYoung | None:
    """Return the labels of predictions that are not in the mature part yet; None if there are none.

    Args:
        whole: All predictions.
        mature: Those of them that are older than the delay.
        delay_hours: How many hours after the hour of a prediction its label counts.
    """
    hours = whole.labelled[len(mature.labelled) :]
    if not hours:
        return None
    first, last = (f"{hours_before(hour, -delay_hours)}:00Z" for hour in (hours[0], hours[-1]))
    return TooYoung(whole.labels - mature.labels, first, last)


def held_out_of(manifest: Manifest) -> HeldOut:
    """Return what a version scored on the rows held out in training."""
    rows = (manifest.reference or {}).get("count") or (manifest.column_reference or {}).get("rows") or 0
    return HeldOut(int(rows), manifest.metrics)
