"""A label as somebody gives it, through the API or in a file."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from mlops.domain.feedback.own_id import MAX_OWN_ID
from mlops.domain.request import Request
from mlops.domain.timestamps import text_of

MAX_ROW = 999
MAX_LABEL = 1000
_LARGEST_WHOLE = 1 << 53


def _whole(label: int | float | str) -> int | float | str:
    """Return a whole number as such: JSON may spell 3 as 3.0."""
    if isinstance(label, float) and label.is_integer() and abs(label) < _LARGEST_WHOLE:
        return int(label)
    return label


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("must be a time with its zone, such as 2026-01-31T09:30:00Z")
    return text_of(moment)


class GivenLabel(Request):
    """What became known of one prediction."""

    prediction_id: str | None = Field(default=None, max_length=100, description="The id in the answer of predict")
    id: Annotated[str, Field(min_length=1, max_length=MAX_OWN_ID)] | int | None = Field(
        default=None, description="The id that you sent with the row, in place of prediction_id"
    )
    row: int = Field(
        default=0, ge=0, le=MAX_ROW, description="With prediction_id, the number of the row in the request, from 0"
    )
    label: Annotated[
        int | Annotated[float, Field()] | Annotated[str, Field(max_length=MAX_LABEL)], AfterValidator(_whole)
    ] = Field(description="The true label, or the true quantity")
    observed_at: Annotated[str, Field(max_length=40), AfterValidator(_moment)] | None = Field(
        default=None, description="When it became known, RFC 3339"
    )
    replace: bool = Field(default=False, description="Whether to replace another label of the same prediction")

    @model_validator(mode="after")
    def _one_id(self) -> "GivenLabel":
        if (self.prediction_id is None) == (self.id is None):
            raise ValueError("send exactly one of prediction_id and id")
        if self.id is not None and self.row:
            raise ValueError("row belongs to prediction_id; an id of your own names its row alone")
        return self
