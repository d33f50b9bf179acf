"""The routes that take labels, and those that say how well the predictions were."""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from feedback.check import PerformanceCheck
from feedback.imports import LabelImports
from feedback.report import PerformanceReport
from feedback.settings import LabelSettings
from mlops.api.auth import Caller, require_name
from mlops.api.http import CurrentCaller, lambda_handler, request_id_of
from mlops.api.pagination import Cursor, SmallPageSize
from mlops.api.schemas.feedback import (
    FeedbackAccepted,
    FeedbackBatchRequest,
    FeedbackBatchResult,
    FeedbackRequest,
    FeedbackResult,
)
from mlops.api.schemas.label_imports import LabelImportList, LabelImportState
from mlops.api.schemas.performance import PerformanceHistory, PerformanceStatus
from mlops.aws.label_intake import LabelIntake
from mlops.domain.feedback.label_import import LabelImportId, LabelImportRequest
from mlops.domain.names import ModelName

BATCH_SECONDS = 20.0
"""Of the 29 that API Gateway waits. Labels after that are refused, and can be sent again."""

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
    status = LabelIntake.from_environment().take(body.model_name, body, caller.name)
    response.status_code = 202 if status == "waiting" else 200
    return FeedbackAccepted(status=status)


@router.post("/feedback/batch")
def give_labels(body: FeedbackBatchRequest, caller: CurrentCaller) -> FeedbackBatchResult:
    """Tell what became known of up to 1,000 predictions. One that is refused does not stop the others."""
    require_name(caller, body.model_name)
    taken = LabelIntake.from_environment().take_all(body.model_name, body.labels, caller.name, BATCH_SECONDS)
    return FeedbackBatchResult(
        results=[FeedbackResult(status=each.status, code=each.code, detail=each.detail) for each in taken],
        counts=Counter(each.status for each in taken),
    )


@router.post("/feedback/imports", status_code=202)
def import_labels(body: LabelImportRequest, request: Request, caller: CurrentCaller) -> LabelImportState:
    """Take the labels in a file, or in all files of a folder, by a job.

    The answer comes at once; GET /feedback/imports/{import_id} follows it. Labels that were taken before are unchanged,
    so the same file can be imported again.
    """
    require_name(caller, body.model_name)
    return LabelImports.from_environment().start(body, caller.name, request_id_of(request))


@router.get("/feedback/imports")
def list_label_imports(caller: CurrentCaller, limit: SmallPageSize = 20, cursor: Cursor = None) -> LabelImportList:
    """List the imports of labels of models that the key is for, newest first."""
    return LabelImports.from_environment().page(limit, cursor, caller)


@router.get("/feedback/imports/{import_id}")
def label_import_status(import_id: LabelImportId, caller: CurrentCaller) -> LabelImportState:
    """Get an import of labels: its status, what became of the labels, and where those are that were refused."""
    return LabelImports.from_environment().state(import_id, caller)


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
