"""GET /drift/status, /drift/history, /drift/stats, /drift/distribution; and the hourly check."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from drift.check import DriftCheck
from drift.report import DriftReport
from mlops.api.http import CurrentCaller, lambda_handler
from mlops.api.schemas.drift import DriftDistribution, DriftHistory, DriftStats, DriftStatus
from mlops.domain.names import ModelName

router = APIRouter(prefix="/drift", tags=["drift"])
Model = Annotated[ModelName | None, Query(description="Without it, the default model")]
BaselineHours = Annotated[int, Query(ge=1, le=24 * 60, description="How long before the current window to look back")]
CurrentHours = Annotated[int, Query(ge=1, le=24 * 14, description="Whole hours, the present one included")]
Hours = Annotated[int, Query(ge=1, le=24 * 60, description="Whole hours, the present one included")]
HistoryHours = Annotated[int, Query(ge=1, le=24 * 7, description="How long to look back, the present hour included")]
StepHours = Annotated[int, Query(ge=1, le=24, description="Hours of a point; few predictions an hour take more")]


@router.get("/status")
def drift_status(
    _: CurrentCaller, model_name: Model = None, baseline_hours: BaselineHours = 168, current_hours: CurrentHours = 24
) -> DriftStatus:
    """Whether the Production version's predictions have drifted from its reference, or from the time before."""
    return DriftReport.from_environment().status(model_name, baseline_hours, current_hours)


@router.get("/history")
def drift_history(
    _: CurrentCaller, model_name: Model = None, hours: HistoryHours = 24, step_hours: StepHours = 1
) -> DriftHistory:
    """Drift of the Production version over time: consecutive windows, each compared with its reference."""
    return DriftReport.from_environment().history(model_name, hours, step_hours)


@router.get("/stats")
def drift_stats(_: CurrentCaller, model_name: Model = None, hours: Hours = 24) -> DriftStats:
    """Predictions, confidence and latency of a model's versions."""
    return DriftReport.from_environment().stats(model_name, hours)


@router.get("/distribution")
def drift_distribution(_: CurrentCaller, model_name: Model = None, hours: Hours = 24) -> DriftDistribution:
    """How predictions spread over the classes."""
    return DriftReport.from_environment().distribution(model_name, hours)


def on_schedule(event: dict[str, Any], context: Any) -> dict[str, str]:
    """The hourly check of every model in Production: model name → verdict."""
    return DriftCheck.from_environment().run()


handler = lambda_handler(router, on_event=on_schedule)
