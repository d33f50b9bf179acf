"""Requests and responses of the feedback routes."""

from typing import Literal

from pydantic import BaseModel, Field

from mlops.domain.feedback.given_label import GivenLabel
from mlops.domain.feedback.giving import Status
from mlops.domain.names import DEFAULT_MODEL_NAME, ModelName
from mlops.domain.request import Request

MAX_LABELS = 1000


class FeedbackRequest(GivenLabel):
    model_name: ModelName = DEFAULT_MODEL_NAME


class FeedbackBatchRequest(Request):
    model_name: ModelName = DEFAULT_MODEL_NAME
    labels: list[GivenLabel] = Field(min_length=1, max_length=MAX_LABELS)


class FeedbackAccepted(BaseModel):
    status: Status = Field(
        description="unchanged: it was counted before; waiting: for its prediction; not_sampled: that was not kept"
    )


class FeedbackResult(BaseModel):
    """What became of a label of a batch: its status, or its error."""

    status: Status | Literal["refused"]
    code: str | None = Field(description="The error's code, if it was refused")
    detail: str | None = Field(description="What is wrong, and what to do")


class FeedbackBatchResult(BaseModel):
    results: list[FeedbackResult] = Field(description="In the order of the labels")
    counts: dict[str, int] = Field(description="How many labels have each status")
