"""The scheduled check: the verdict of every model in Production is kept; an alert is told, once an episode."""

import time
from dataclasses import dataclass
from functools import cache

from aws_lambda_powertools import Logger

from drift.report import message_of
from drift.windows import Windows, drift_of, samples_of
from mlops.aws.drift_events import DriftEvents
from mlops.aws.drift_records import DriftRecords, RetrainLimits
from mlops.aws.dynamodb import Item
from mlops.aws.embedded_metrics import embedded
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.stats_table import PredictionStats
from mlops.domain.drift.verdict import Drift, DriftThresholds, Verdict
from mlops.domain.manifest import Manifest
from mlops.domain.timestamps import now
from mlops.settings import Settings

logger = Logger()


@dataclass(frozen=True)
class CheckSettings(Settings):
    """The windows of the check, and whether, how often and how drift may ask for a retrain."""

    drift_baseline_hours: int = 168
    drift_current_hours: int = 24
    drift_repeat_hours: float = 24
    """An alert that lasts is told again after so long."""
    retrain_on_drift: str = "false"
    retrain_cooldown_hours: float = 24
    retrain_daily_budget: int = 2
    retrain_runs: int = 1
    retrain_stage: str = "Staging"


class DriftCheck:
    def __init__(
        self,
        stats: PredictionStats,
        served: ServedModels,
        records: DriftRecords,
        events: DriftEvents,
        thresholds: DriftThresholds,
        settings: CheckSettings,
    ) -> None:
        self._stats, self._served, self._records, self._events = stats, served, records, events
        self._thresholds, self._settings = thresholds, settings

    @classmethod
    def from_environment(cls) -> "DriftCheck":
        return _check()

    def run(self) -> dict[str, str]:
        """Check all models that serve Production: name → verdict. One model's fault does not keep the others waiting.

        Raises:
            RuntimeError: a model could not be checked; the schedule's own retries come back to it.
        """
        verdicts: dict[str, str] = {}
        failed: list[str] = []
        for name in self._served.names():
            try:
                manifest = self._served.find(name)
                if manifest is not None:
                    verdicts[name] = self._check(manifest).value
            except Exception:
                logger.exception("drift check failed", model=name)
                failed.append(name)
        if failed:
            raise RuntimeError(f"the drift check of {', '.join(failed)} failed; the log says why")
        return verdicts

    def _check(self, manifest: Manifest) -> Verdict:
        windows = Windows.ending_now(self._settings.drift_baseline_hours, self._settings.drift_current_hours)
        samples = samples_of(self._stats, manifest, windows)
        found = drift_of(samples, self._thresholds)
        record = _record(manifest, found)
        self._tell(record, found)
        # After telling: if we die in between, the alert comes twice rather than never.
        self._records.save(manifest.model_name, record)
        self._retrain(record, found)
        _log(record, found)
        return found.verdict

    def _tell(self, record: Item, found: Drift) -> None:
        """Tell of an alert when it begins, and again while it lasts; tell when it is over."""
        before = self._records.last(record["model_name"]) or {}
        told_at = before.get("told_at") if before.get("model_version") == record["model_version"] else None
        if found.verdict is Verdict.ALERT:
            if told_at is None or time.time() - told_at >= self._settings.drift_repeat_hours * 3600:
                self._events.alert(record, _text(record))
                told_at = time.time()
        elif told_at is not None and found.verdict is not Verdict.INSUFFICIENT_DATA:  # silence is no recovery
            self._events.recovered(record, _text(record))
            told_at = None
        if told_at is not None:
            record["told_at"] = told_at

    def _retrain(self, record: Item, found: Drift) -> None:
        """Ask for a retrain by an event, within cool-down and daily budget, if that is switched on."""
        if self._settings.retrain_on_drift != "true":
            return
        name = record["model_name"]
        wish = self._records.unsent_retrain(name)
        if wish is None:
            if found.verdict is not Verdict.ALERT or record["psi"] < self._thresholds.drift_retrain:
                return
            wish = self._wish(record)
            limits = RetrainLimits(self._settings.retrain_cooldown_hours * 3600, self._settings.retrain_daily_budget)
            claim = self._records.claim_retrain(name, wish, limits, time.time())
            if claim != "claimed":
                logger.info("no retrain", model=name, because=claim)
                return
        # The id stays the same if this is sent again, and training follows an id once.
        self._events.request_retrain(wish)
        self._records.retrain_sent(name)
        logger.info("retrain requested", model=name, retrain_id=wish["retrain_id"])

    def _wish(self, record: Item) -> Item:
        return {
            "retrain_id": f"drift-{record['model_name'][:60]}-{time.time_ns() // 1_000_000}",
            "model_name": record["model_name"],
            "num_runs": self._settings.retrain_runs,
            "stage": self._settings.retrain_stage if self._settings.retrain_stage != "none" else None,
            "reason": f"drift: {record['message']}",
        }


def _record(manifest: Manifest, found: Drift) -> Item:
    worst, deciding = found.worst, found.deciding
    return {
        "model_name": manifest.model_name,
        "model_version": manifest.model_version,
        "status": found.verdict.value,
        "psi": round(worst.psi, 6) if worst else None,
        "signal": worst.signal if worst else None,
        "against": deciding.against if deciding else None,
        "message": message_of(found),
        "samples": found.current.count,
        "checked_at": now(),
        "signals": [
            {
                "against": comparison.against,
                "signal": each.signal,
                "psi": round(each.psi, 6),
                "p": max(each.p_value, 1e-99),
            }
            for comparison in found.comparisons
            for each in comparison.signals
        ],
    }


def _text(record: Item) -> str:
    lines = [
        f"{record['model_name']} version {record['model_version']}: {record['status']}",
        record["message"],
        "",
        *(f"  {each['signal']:15} against {each['against']:10} PSI {each['psi']:.3f}" for each in record["signals"]),
        "",
        f"GET /drift/status?model_name={record['model_name']} shows it as it is now.",
    ]
    return "\n".join(lines)


def _log(record: Item, found: Drift) -> None:
    """The verdict as a log line, which is a CloudWatch metric too (embedded metric format): the alarm reads it."""
    fields = {name: value for name, value in record.items() if name not in ("signals", "told_at")}
    fields["said"] = fields.pop("message")  # the line's own message is another
    metrics = {"DriftAlert": (float(found.verdict is Verdict.ALERT), "Count")}
    if record["psi"] is not None:
        metrics["DriftPsi"] = (record["psi"], "None")
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
    )
