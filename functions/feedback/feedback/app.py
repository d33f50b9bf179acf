"""The routes that take labels, and those that say how well the predictions were."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from feedback.check import PerformanceCheck
from feedback.intake import Intake
from feedback.report import PerformanceReport
from feedback.settings import LabelSettings
from mlops.api.auth import Caller, require_name
from mlops.api.http import CurrentCaller, lambda_handler
from mlops.api.schemas.feedback import (
    FeedbackAccepted,
    FeedbackBatchRequest,
    FeedbackBatchResult,
    FeedbackRequest,
)
from mlops.api.schemas.performance import PerformanceHistory, PerformanceStatus
from mlops.domain.names import ModelName

router = APIRouter(tags=["feedback"])
Model = Annotated[ModelName | None, Query(description="Without it, the default model")]
Hours = Annotated[int, Query(ge=1, le=24 * 90, description="How many hours of predictions, this hour included")]
DelayHours = Annotated[
    int | None,
    Query(ge=0, le=24 * 90, description="Verdicts are about older predictions; without it FeedbackDelayHours"),
]
Version = Annotated[int | None, Query(ge=1, lt=2**31, description="Without it, the version in Production")]
StepHours = Annotated[int, Query(ge=1, le=24 * 7, description="Hours per point; use more if labels are few")]


@router.post(
    "/feedback", responses={202: {"model": FeedbackAccepted, "description": "Its prediction is not known yet"}}
)
def give_label(body: FeedbackRequest, caller: CurrentCaller, response: Response) -> FeedbackAccepted:
    """Tell what became known of a prediction. The answer is 202 if the prediction itself is not known yet."""
    require_name(caller, body.model_name)
    accepted = Intake.from_environment().take(body.model_name, body, caller.name)
    response.status_code = 202 if accepted.status == "waiting" else 200
    return accepted


@router.post("/feedback/batch")
def give_labels(body: FeedbackBatchRequest, caller: CurrentCaller) -> FeedbackBatchResult:
    """Tell what became known of up to 1,000 predictions. One that is refused does not stop the others."""
    require_name(caller, body.model_name)
    return Intake.from_environment().take_all(body.model_name, body.labels, caller.name)


@router.get("/performance/status")
def performance_status(
    caller: CurrentCaller, model_name: Model = None, hours: Hours = 720, delay_hours: DelayHours = None
) -> PerformanceStatus:
    """Return how well each version predicted, by its labels, and whether that is worse than in training."""
    return PerformanceReport.from_environment().status(_permitted(caller, model_name), hours, delay_hours)


@router.get("/performance/history")
def performance_history(
    caller: CurrentCaller,
    model_name: Model = None,
    model_version: Version = None,
    hours: Hours = 720,
    step_hours: StepHours = 24,
) -> PerformanceHistory:
    """Return how well a version predicted over time, by the time of its predictions."""
    return PerformanceReport.from_environment().history(
        _permitted(caller, model_name), model_version, hours, step_hours
    )


def _permitted(caller: Caller, model_name: str | None) -> str:
    """Return the model that a request is about. Raises Forbidden: the key is not for it."""
    name = model_name or LabelSettings.from_environment().default_model_name
    require_name(caller, name)
    return name


def on_schedule(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Check every model in Production, and return the verdict by model name."""
    return PerformanceCheck.from_environment().run()


handler = lambda_handler(router, changes="feedback", on_event=on_schedule)
