"""The scheduled check: store how well every model in Production does, send alerts, and ask for retrains."""

import time
from dataclasses import replace
from functools import cache

from aws_lambda_powertools import Logger

from feedback.cohorts import Cohorts, held_out_of, too_young
from feedback.settings import LabelSettings
from mlops.aws.drift_records import DriftRecords
from mlops.aws.eventbridge import Events
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.performance_events import PerformanceEvents
from mlops.aws.performance_records import PerformanceRecords
from mlops.aws.retrains import Retrains
from mlops.aws.served_checks import check_each
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.stats_table import PredictionStats, hour_of, hours_before
from mlops.domain.drift.retrain import RetrainSettings
from mlops.domain.feedback.class_figures import ClassFigures
from mlops.domain.feedback.estimate import estimated_accuracy
from mlops.domain.feedback.record import PerformanceRecord
from mlops.domain.feedback.verdict import Needs, Performance, judge
from mlops.domain.manifest import Manifest
from mlops.domain.timestamps import now

logger = Logger()


class PerformanceCheck:
    def __init__(
        self,
        cohorts: Cohorts,
        served: ServedModels,
        records: PerformanceRecords,
        events: PerformanceEvents,
        settings: LabelSettings,
        retrains: Retrains,
        retrain_settings: RetrainSettings,
        governance: GovernanceTable,
    ) -> None:
        self._cohorts, self._served, self._records, self._events = cohorts, served, records, events
        self._settings, self._governance = settings, governance
        self._retrains, self._retrain_settings = retrains, retrain_settings

    @classmethod
    def from_environment(cls) -> "PerformanceCheck":
        return _check()

    def run(self) -> dict[str, str]:
        """Check all models in Production, and return the verdict by name. Raises RuntimeError: some checks failed."""
        before = self._records.all()
        return check_each(
            self._served, "performance check", lambda manifest: self._check(manifest, before.get(manifest.model_name))
        )

    def _check(self, manifest: Manifest, before: PerformanceRecord | None) -> Performance:
        record = self._record(manifest)
        if before is not None and before.model_version == record.model_version:
            record = replace(record, alerted_at=before.alerted_at)
        record = self._notify(record)
        # Saved after the notification: if the function stops in between, the alert is sent twice rather than never.
        self._records.save(record)
        self._retrain(record)
        fields = record.detail()
        fields["explanation"] = fields.pop("message")  # a log line has a message of its own
        logger.info("performance checked", **fields)
        return record.status

    def _retrain(self, record: PerformanceRecord) -> None:
        """Request a retrain with an event, if it is switched on and within its limits."""
        settings = self._retrain_settings.of(self._governance.settings(record.model_name).settings)
        if settings.retrain_on_performance:
            is_due = record.status is Performance.DEGRADED
            self._retrains.ask(record.model_name, "performance", record.message, settings, is_due=is_due)

    def _record(self, manifest: Manifest) -> PerformanceRecord:
        name, version = manifest.model_name, manifest.model_version
        settings = self._settings.of(self._governance.settings(name).settings)
        end = hours_before(hour_of(time.time()), -1)
        first, last = (
            hours_before(end, hours) for hours in (settings.feedback_window_hours, settings.feedback_delay_hours + 1)
        )
        whole, mature = self._cohorts.since(name, version, first, last)
        figures = mature.figures()
        needs = Needs(settings.feedback_min_labels, settings.feedback_min_coverage)
        young = too_young(whole, mature, settings.feedback_delay_hours)
        judgement = judge(figures, mature.labels, mature.kept, held_out_of(manifest), needs, young)
        estimated = estimated_accuracy(manifest.reference, whole.predictions)
        metric = value = None
        if figures is not None:
            if isinstance(figures, ClassFigures):
                metric, value = "accuracy", figures.accuracy.value
            else:
                metric, value = "mae", figures.mae.value
        return PerformanceRecord(
            model_name=name,
            model_version=version,
            status=judgement.verdict,
            metric=metric,
            value=value,
            message=judgement.message,
            estimated=estimated.accuracy if estimated is not None else None,
            labels=mature.labels,
            coverage=mature.coverage,
            checked_at=now(),
        )

    def _notify(self, record: PerformanceRecord) -> PerformanceRecord:
        """Send an alert when a loss is found, while it lasts, and when it is over."""
        if record.status is Performance.DEGRADED:
            repeat = self._settings.feedback_repeat_hours * 3600
            if record.alerted_at is None or time.time() - record.alerted_at >= repeat:
                self._events.alert(record)
                return replace(record, alerted_at=time.time())
        elif record.status is Performance.OK and record.alerted_at is not None:  # without data it goes on
            self._events.recovered(record)
            return replace(record, alerted_at=None)
        return record


@cache
def _check() -> PerformanceCheck:
    return PerformanceCheck(
        Cohorts(FeedbackTable.from_environment(), PredictionStats.from_environment()),
        ServedModels.from_environment(),
        PerformanceRecords.from_environment(),
        PerformanceEvents.from_environment(),
        LabelSettings.from_environment(),
        Retrains(DriftRecords.from_environment(), Events.from_environment().request_retrain),
        RetrainSettings.from_environment(),
        GovernanceTable.from_environment(),
    )
