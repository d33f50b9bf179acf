"""What becomes of a label that is given."""

from enum import StrEnum
from typing import Literal, NamedTuple

Status = Literal["counted", "waiting", "unchanged", "replaced", "not_sampled"]


class Given(StrEnum):
    """What became of a label."""

    COUNTED = "counted"
    WAITING = "waiting"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"


class Taken(NamedTuple):
    """What became of one of several labels; of one that was refused, the error's code, and what is wrong."""

    status: Status | Literal["refused"]
    code: str | None = None
    detail: str | None = None


class DifferentLabel(Exception):
    """The row has another label, which is not to be replaced."""


class NoSuchRow(Exception):
    """The request had fewer rows, or fewer were kept. `rows` says how many."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.rows = rows


class AnswersExpired(Exception):
    """The answers, which a label has been compared with, are not kept any more."""


class PredictionDeleted(Exception):
    """What was kept of the prediction was deleted."""
