"""The scheduled check: store the verdict of every model in Production, and send alerts."""

import time
from dataclasses import replace
from functools import cache

from aws_lambda_powertools import Logger

from drift.settings import CheckSettings as CheckSettings
from drift.settings import own_thresholds
from drift.windows import Windows, columns_of, drift_of, samples_of, series_of
from mlops.aws.drift_events import DriftEvents
from mlops.aws.drift_records import DriftRecords
from mlops.aws.embedded_metrics import embedded
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.retrains import Retrains
from mlops.aws.served_checks import check_each
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.stats_table import PredictionStats, hours_before
from mlops.domain.drift.record import DriftRecord
from mlops.domain.drift.verdict import DriftThresholds, Verdict
from mlops.domain.manifest import Manifest
from mlops.domain.model_settings import HasSettings
from mlops.domain.timestamps import now

logger = Logger()


class DriftCheck:
    def __init__(
        self,
        stats: PredictionStats,
        served: ServedModels,
        records: DriftRecords,
        events: DriftEvents,
        thresholds: DriftThresholds,
        settings: CheckSettings,
        governance: HasSettings,
    ) -> None:
        self._stats, self._served, self._records, self._events = stats, served, records, events
        self._thresholds, self._settings, self._governance = thresholds, settings, governance
        self._retrains = Retrains(records, events.request_retrain)

    @classmethod
    def from_environment(cls) -> "DriftCheck":
        return _check()

    def run(self) -> dict[str, str]:
        """Check all models in Production, and return the verdict by name. Raises RuntimeError: some checks failed."""
        return check_each(self._served, "drift check", self._check)

    def _check(self, manifest: Manifest) -> Verdict:
        own = self._governance.settings(manifest.model_name).settings
        thresholds = own_thresholds(self._thresholds, own)
        windows = Windows.ending_now(self._settings.drift_baseline_hours, self._settings.drift_current_hours)
        if manifest.contract is not None:
            # So that a query reads one item for each hour that is over, however many deliveries it had.
            self._stats.columns.fold_past(series_of(manifest), windows.current_start, hours_before(windows.end, 2))
        columns = columns_of(self._stats, manifest, windows.current_start, thresholds)
        drift = drift_of(manifest, samples_of(self._stats, manifest, windows), columns, thresholds)
        record = self._notify(DriftRecord.of(manifest.model_name, manifest.model_version, drift, now()))
        # Saved after the notification: if the function stops in between, the alert is sent twice rather than never.
        self._records.save(record)
        self._retrain(record, thresholds, self._settings.of(own))
        _log(record)
        return record.status

    def _notify(self, record: DriftRecord) -> DriftRecord:
        """Send an alert when drift begins, when further columns drift, while it lasts, and when it ends.

        Returns:
            The record, which says when the lasting alert was sent, and of which columns.
        """
        last = self._records.last(record.model_name)
        if last is not None and last.model_version == record.model_version:
            record = replace(record, alerted_at=last.alerted_at, alerted_columns=last.alerted_columns)
        if record.status is Verdict.ALERT:
            columns = {column.name for column in record.columns if column.status is Verdict.ALERT}
            is_due = (
                record.alerted_at is None
                or not columns <= set(record.alerted_columns)
                or time.time() - record.alerted_at >= self._settings.drift_repeat_hours * 3600
            )
            if is_due:
                self._events.alert(record)
                columns |= set(record.alerted_columns)
                return replace(record, alerted_at=time.time(), alerted_columns=tuple(sorted(columns)))
        elif (
            record.alerted_at is not None and record.status is not Verdict.INSUFFICIENT_DATA
        ):  # without data it goes on
            self._events.recovered(record)
            return replace(record, alerted_at=None, alerted_columns=())
        return record

    def _retrain(self, record: DriftRecord, thresholds: DriftThresholds, settings: CheckSettings) -> None:
        """Request a retrain with an event, if it is switched on and within its limits."""
        if settings.retrain_on_drift:
            is_due = record.status is Verdict.ALERT and (record.psi or 0.0) >= thresholds.drift_retrain
            self._retrains.ask(record.model_name, "drift", record.message, settings, is_due=is_due)


def _log(record: DriftRecord) -> None:
    """Log the verdict as a line that is also a CloudWatch metric (embedded metric format), for the alarm."""
    fields = record.detail()
    del fields["signals"], fields["columns"]
    fields["explanation"] = fields.pop("message")  # a log line has a message of its own
    metrics = {"DriftAlert": (float(record.status is Verdict.ALERT), "Count")}
    if record.psi is not None:
        metrics["DriftPsi"] = (record.psi, "None")
    model_name = fields.pop("model_name")
    logger.info("drift checked", **fields, **embedded(metrics, [["model_name"], []], model_name=model_name))


@cache
def _check() -> DriftCheck:
    return DriftCheck(
        PredictionStats.from_environment(),
        ServedModels.from_environment(),
        DriftRecords.from_environment(),
        DriftEvents.from_environment(),
        DriftThresholds.from_environment(),
        CheckSettings.from_environment(),
        GovernanceTable.from_environment(),
    )
