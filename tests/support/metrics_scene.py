"""A reading of the platform in which every metric has a value."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from metrics.sources import QueueDepth, Reading
from mlops.aws.stats_table import REFUSED, SKIPPED, TRANSITIONS, Series
from mlops.domain.drift.counts import counts_of, lifetime
from mlops.domain.drift.record import ColumnRecord, DriftRecord, SignalRecord
from mlops.domain.drift.verdict import Verdict
from mlops.domain.feedback.record import PerformanceRecord
from mlops.domain.feedback.verdict import Performance
from mlops.domain.job import Job, JobStatus
from mlops.domain.rollout.plan import Plan
from mlops.domain.rollout.rollout import Rollout, RolloutStatus
from mlops.domain.stages import Stage
from mlops.domain.timestamps import now
from mlops.domain.transition import Transition

SERIES = Series("digits", 3, "Production")


def transition(identifier: str, created_at: str) -> Transition:
    return Transition(identifier, "digits", 3, Stage.PRODUCTION, "ann", created_at=created_at)


def rollout(**changes: Any) -> Rollout:
    """One that runs, at five percent."""
    steps = [{"weight": 5, "minutes": 1}]
    plan = Plan.model_validate({"steps": steps, "shadow_minutes": 0})
    known = Rollout("ro_1", "digits", 4, "f" * 64, 3, plan, "ann", status=RolloutStatus.RUNNING)
    return replace(known, **changes)


def whole_reading(line: Mapping[str, Any]) -> Reading:
    """Every kind of metric, most of them of the model `digits`; `line` is one that predict has written."""
    totals = lifetime(counts_of(line))
    at = time.time()
    signals = tuple(SignalRecord(against, "confidence", 0.31, 1e-9) for against in ("reference", "baseline"))
    columns = (
        ColumnRecord("income", Verdict.ALERT, 1.5, 0.02, 0.0, 0.38, "income: were units changed?"),
        ColumnRecord("job", Verdict.STABLE, 0.01, 0.0, 0.003, 0.0),
    )
    drift = DriftRecord(
        *("digits", 3, Verdict.ALERT, 0.31, "confidence", "reference", "confidence differs", 400, now(), signals),
        column="income",
        columns=columns,
    )
    performance = PerformanceRecord(
        "digits",
        3,
        Performance.DEGRADED,
        "accuracy",
        0.71,
        "71.0% of 200 labels are right",
        200,
        0.8,
        now(),
        estimated=0.87,
    )
    regression = replace(performance, model_name="regressor", model_version=1, metric="mae", value=2.5)
    regression = replace(regression, status=Performance.OK)
    return Reading(
        at=at,
        totals={
            SERIES: totals,
            REFUSED: {"422/validation_failed": 2},
            SKIPPED: {"not_json": 1},
            TRANSITIONS: {"digits/Production/succeeded": 3},
        },
        serving={"digits": {"Production": 3}, "other": {}, "regressor": {"Production": 1}, "torn": {}},
        unreadable=[("torn", "Production")],
        refused=[("regressor", "Production")],
        drift=[drift, replace(drift, model_name="other"), replace(drift, model_version=2)],
        labels={("digits", 3): {"n": 200, "h": 142, "refused": 4}},
        performance=[performance, replace(performance, model_version=2), regression],
        jobs=[
            Job("job_000002", status=JobStatus.COMPLETED, started_at=now(), completed_at=now()),
            Job("job_000001", created_at="2026-01-01T00:00:00.000Z"),
        ],
        open_transitions=[transition("tr_1", "2026-01-01T00:00:00Z")],
        rollouts=[rollout()],
        queues={"promotion": QueueDepth(1, 2), "promotion_dead_letters": QueueDepth(4, 0)},
    )
