"""The routes below /drift, and the hourly check."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from drift.check import DriftCheck
from drift.report import DriftReport
from drift.settings import ReportSettings
from drift.statistics import PredictionReport
from mlops.api.auth import Caller, require_name
from mlops.api.http import CurrentCaller, lambda_handler
from mlops.api.schemas.drift import DriftColumns, DriftDistribution, DriftHistory, DriftStats, DriftStatus
from mlops.domain.names import ModelName

router = APIRouter(prefix="/drift", tags=["drift"])
Model = Annotated[ModelName | None, Query(description="Without it, the default model")]
BaselineHours = Annotated[
    int, Query(ge=1, le=24 * 60, description="Hours of the baseline window, which ends where the current one starts")
]
CurrentHours = Annotated[
    int, Query(ge=1, le=24 * 14, description="Whole hours of the current window, this hour included")
]
Hours = Annotated[int, Query(ge=1, le=24 * 60, description="How many whole hours, this hour included")]
HistoryHours = Annotated[int, Query(ge=1, le=24 * 7, description="How many hours to look back, this hour included")]
StepHours = Annotated[int, Query(ge=1, le=24, description="Hours per point; use more if predictions are few")]


@router.get("/status")
def drift_status(
    caller: CurrentCaller,
    model_name: Model = None,
    baseline_hours: BaselineHours = 168,
    current_hours: CurrentHours = 24,
) -> DriftStatus:
    """Return whether the predictions of the Production version have drifted from its reference or its baseline."""
    return DriftReport.from_environment().status(_permitted(caller, model_name), baseline_hours, current_hours)


@router.get("/columns")
def drift_columns(
    caller: CurrentCaller,
    model_name: Model = None,
    current_hours: CurrentHours = 24,
    column: Annotated[str | None, Query(max_length=1000, description="The name of one column")] = None,
    moved: Annotated[bool, Query(description="Only columns with a warning or an alert")] = False,
) -> DriftColumns:
    """Return the columns of a table model with the histograms of the current window and of the held-out rows."""
    return DriftReport.from_environment().columns(_permitted(caller, model_name), current_hours, column, moved)


@router.get("/history")
def drift_history(
    caller: CurrentCaller, model_name: Model = None, hours: HistoryHours = 24, step_hours: StepHours = 1
) -> DriftHistory:
    """Return the drift of the Production version over time: consecutive windows, compared with its reference."""
    return DriftReport.from_environment().history(_permitted(caller, model_name), hours, step_hours)


@router.get("/stats")
def drift_stats(caller: CurrentCaller, model_name: Model = None, hours: Hours = 24) -> DriftStats:
    """Return the numbers of predictions and requests, confidence and latency of a model's versions."""
    return PredictionReport.from_environment().stats(_permitted(caller, model_name), hours)


@router.get("/distribution")
def drift_distribution(caller: CurrentCaller, model_name: Model = None, hours: Hours = 24) -> DriftDistribution:
    """Return how many predictions each class has, in all and by version."""
    return PredictionReport.from_environment().distribution(_permitted(caller, model_name), hours)


def _permitted(caller: Caller, model_name: str | None) -> str:
    """Return the model that a request is about. Raises Forbidden: the key is not for it."""
    name = model_name or ReportSettings.from_environment().default_model_name
    require_name(caller, name)
    return name


def on_schedule(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Check every model in Production, and return the verdict by model name."""
    return DriftCheck.from_environment().run()


handler = lambda_handler(router, on_event=on_schedule)
