"""The request and the response of deleting what is kept of predictions."""

from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from mlops.domain.feedback.own_id import MAX_OWN_ID
from mlops.domain.names import ModelName
from mlops.domain.request import Request

MAX_PREDICTIONS = 1000
PredictionIdText = Annotated[str, Field(min_length=1, max_length=100)]
OwnId = Annotated[str, Field(min_length=1, max_length=MAX_OWN_ID)] | int


class PredictionDeletionRequest(Request):
    """Whose data is to be deleted: 1 to 1,000 ids in all."""

    model_name: ModelName
    prediction_ids: list[PredictionIdText] = Field(
        default=[], max_length=MAX_PREDICTIONS, description="Ids in the answers of predict, or in the output of a batch"
    )
    ids: list[OwnId] = Field(default=[], max_length=MAX_PREDICTIONS, description="Ids that you sent with the rows")
    reason: str = Field(
        min_length=1, max_length=1000, description="The reason, for the history, which is kept: do not name the person"
    )

    @model_validator(mode="after")
    def _some(self) -> "PredictionDeletionRequest":
        if not 1 <= len(self.prediction_ids) + len(self.ids) <= MAX_PREDICTIONS:
            raise ValueError(f"send 1 to {MAX_PREDICTIONS} ids, in prediction_ids, in ids, or in both")
        return self


class PredictionIds(BaseModel):
    prediction_ids: list[str] = []
    ids: list[str | int] = []


class Remaining(BaseModel):
    place: str = Field(description="What still has something of the predictions")
    days: int = Field(description="After so many days it goes by itself, at the latest")


class PredictionDeletion(BaseModel):
    """What was deleted. Counts that were made of it stay: they say nothing about anybody."""

    model_name: str
    removed: dict[str, int] = Field(
        description="Requests' answers, labels of their rows, and hours whose sampled inputs are gone"
    )
    not_found: PredictionIds = Field(description="Nothing was kept of these. What comes late is not kept either")
    left: PredictionIds = Field(description="There was no time for these; send them again")
    remaining: list[Remaining]
