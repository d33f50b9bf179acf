"""Answers about performance: GET /performance/status and /performance/history."""

import math
import time
from bisect import bisect_right
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any, Literal, cast

from feedback.cohorts import Cohort, Cohorts, held_out_of, too_young
from feedback.settings import LabelSettings
from mlops.api.schemas.performance import (
    Calibration,
    ClassPerformance,
    EstimatedPerformance,
    Figure,
    PerformanceHistory,
    PerformancePoint,
    PerformanceStatus,
    PerformanceVerdict,
    QuantityPerformance,
    VersionPerformance,
)
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.serving_bucket import ServedModels, UnreadableManifest
from mlops.aws.stats_table import PredictionStats, hour_of, hours_before
from mlops.domain.errors import DependencyUnavailable, NotFound
from mlops.domain.feedback.class_figures import ClassFigures
from mlops.domain.feedback.estimate import estimated_accuracy
from mlops.domain.feedback.intervals import Estimate
from mlops.domain.feedback.outcome import Totals
from mlops.domain.feedback.quantity_figures import QuantityFigures
from mlops.domain.feedback.verdict import Needs, TooYoung, judge
from mlops.domain.manifest import Manifest
from mlops.domain.model_settings import HasSettings
from mlops.domain.stages import ALIASES

WAIT_HOURS = 24
"""A label whose prediction has not come after this time is unmatched."""
MOST_VERSIONS = 5
"""Of those with labels, beside the ones that serve."""


class PerformanceReport:
    def __init__(
        self,
        table: FeedbackTable,
        stats: PredictionStats,
        served: ServedModels,
        settings: LabelSettings,
        governance: HasSettings,
    ) -> None:
        self._table, self._served, self._settings, self._governance = table, served, settings, governance
        self._cohorts = Cohorts(table, stats)

    @classmethod
    def from_environment(cls) -> "PerformanceReport":
        return _report()

    def status(self, name: str, hours: int, delay_hours: int | None = None) -> PerformanceStatus:
        """Return how well each version did, by its labels.

        Raises:
            NotFound: No version serves, and none has labels.
        """
        settings = self._settings.of(self._governance.settings(name).settings)
        if delay_hours is not None:
            settings = replace(settings, feedback_delay_hours=delay_hours)
        end = hours_before(hour_of(time.time()), -1)
        start = hours_before(end, hours)
        manifests = self._manifests(name)
        labelled = sorted((version for _, version in self._table.totals.lifetime(name)), reverse=True)[:MOST_VERSIONS]
        versions = [*dict.fromkeys([*manifests, *labelled])]
        if not versions:
            raise NotFound(f"The model {name!r} serves no stage, and none of its versions has labels")
        waiting, unmatched = self._table.totals.waiting(name, hours_before(end, WAIT_HOURS))
        return PerformanceStatus(
            model_name=name,
            start=_text(start),
            end=_text(end),
            delay_hours=settings.feedback_delay_hours,
            minimum_labels=settings.feedback_min_labels,
            minimum_coverage=settings.feedback_min_coverage,
            waiting=waiting,
            unmatched=unmatched,
            versions=[
                self._version(name, version, manifests.get(version), start, end, settings) for version in versions
            ],
        )

    def history(self, name: str, version: int | None, hours: int, step_hours: int) -> PerformanceHistory:
        """Return how well a version did over time, by the time of its predictions.

        Raises:
            NoModelInStage: No version is given, and none is in Production.
        """
        number = version if version is not None else self._served.manifest(name).model_version
        end = hours_before(hour_of(time.time()), -1)
        bounds = [hours_before(end, step_hours * steps) for steps in range(math.ceil(hours / step_hours), -1, -1)]
        kept, labels = self._cohorts.by_hour(name, number, bounds[0])
        counts, totals = [0] * len(bounds), [list[Totals]() for _ in bounds]  # the last: beyond the end, left out
        for hour, count in kept.items():
            counts[bisect_right(bounds, hour) - 1] += count
        for hour, label_totals in labels.items():
            totals[bisect_right(bounds, hour) - 1].append(label_totals)
        cohorts = map(Cohort, counts, totals)
        points = [_point(*step, cohort) for step, cohort in zip(pairwise(bounds), cohorts, strict=False)]
        return PerformanceHistory(model_name=name, model_version=number, step_hours=step_hours, points=points)

    def _manifests(self, model_name: str) -> dict[int, Manifest]:
        """Return the manifests of the versions that serve, Production's first."""
        try:
            found = [self._served.find(model_name, stage) for stage in reversed(ALIASES)]
        except UnreadableManifest as error:
            raise DependencyUnavailable("The manifest of the model cannot be read; try again", 30) from error
        manifests: dict[int, Manifest] = {}
        for manifest in found:
            if manifest is not None:
                manifests.setdefault(manifest.model_version, manifest)
        return manifests

    def _version(
        self,
        name: str,
        version: int,
        manifest: Manifest | None,
        start: str,
        end: str,
        settings: LabelSettings,
    ) -> VersionPerformance:
        delay = settings.feedback_delay_hours
        whole, mature = self._cohorts.since(name, version, start, hours_before(end, delay + 1))
        figures = whole.figures()
        return VersionPerformance(
            model_version=version,
            stage=cast(Literal["Production", "Staging"], manifest.stage) if manifest is not None else None,
            predictions=whole.kept,
            labels=whole.labels,
            coverage=whole.coverage,
            refused=whole.refused,
            classification=_of_classes(figures) if isinstance(figures, ClassFigures) else None,
            regression=_of_quantities(figures) if isinstance(figures, QuantityFigures) else None,
            estimated=_estimated(manifest, whole),
            held_out=manifest.metrics if manifest is not None else None,
            verdict=self.verdict(mature, manifest, settings, too_young(whole, mature, delay)),
        )

    def verdict(
        self, mature: Cohort, manifest: Manifest | None, settings: LabelSettings, young: TooYoung | None = None
    ) -> PerformanceVerdict:
        """Judge predictions that are old enough."""
        needs = Needs(settings.feedback_min_labels, settings.feedback_min_coverage)
        held_out = held_out_of(manifest) if manifest is not None else None
        judgement = judge(mature.figures(), mature.labels, mature.kept, held_out, needs, young)
        return PerformanceVerdict(
            status=judgement.verdict.value,
            metric=cast(Any, judgement.metric),
            message=judgement.message,
            predictions=mature.kept,
            labels=mature.labels,
            coverage=mature.coverage,
        )


def _of_classes(figures: ClassFigures) -> ClassPerformance:
    return ClassPerformance(
        accuracy=_figure(figures.accuracy),
        macro_f1=_figure(figures.macro_f1),
        log_loss=_figure(figures.log_loss) if figures.log_loss is not None else None,
        auc=_figure(figures.auc) if figures.auc is not None else None,
        auc_error=figures.auc_error,
        calibration_error=figures.calibration_error,
        calibration=[
            Calibration(tenth=tenth, labels=part.count, confidence=part.confidence, accuracy=part.accuracy)
            for tenth, part in sorted(figures.calibration.items())
        ],
        labels=list(figures.labels),
        confusion=[list(row) for row in figures.confusion],
    )


def _estimated(manifest: Manifest | None, cohort: Cohort) -> EstimatedPerformance | None:
    estimate = estimated_accuracy(manifest.reference, cohort.predictions) if manifest is not None else None
    if estimate is None:
        return None
    return EstimatedPerformance(accuracy=estimate.accuracy, error=estimate.error, predictions=estimate.predictions)


def _of_quantities(figures: QuantityFigures) -> QuantityPerformance:
    return QuantityPerformance(
        mae=_figure(figures.mae),
        rmse=_figure(figures.rmse),
        bias=_figure(figures.bias),
        r2=_figure(figures.r2) if figures.r2 is not None else None,
    )


def _point(start: str, stop: str, cohort: Cohort) -> PerformancePoint:
    figures = cohort.figures()
    classes = figures if isinstance(figures, ClassFigures) else None
    quantities = figures if isinstance(figures, QuantityFigures) else None
    return PerformancePoint(
        start=_text(start),
        end=_text(stop),
        predictions=cohort.kept,
        labels=cohort.labels,
        accuracy=_figure(classes.accuracy) if classes else None,
        log_loss=classes.log_loss.value if classes and classes.log_loss else None,
        mae=quantities.mae.value if quantities else None,
        bias=quantities.bias.value if quantities else None,
    )


def _figure(estimate: Estimate) -> Figure:
    return Figure(value=estimate.value, low=estimate.low, high=estimate.high)


def _text(hour: str) -> str:
    return f"{hour}:00:00Z"


@cache
def _report() -> PerformanceReport:
    return PerformanceReport(
        FeedbackTable.from_environment(),
        PredictionStats.from_environment(),
        ServedModels.from_environment(),
        LabelSettings.from_environment(),
        GovernanceTable.from_environment(),
    )
