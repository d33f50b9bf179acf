"""What becomes of a label that is given."""

from enum import StrEnum


class Given(StrEnum):
    """What became of a label."""

    COUNTED = "counted"
    WAITING = "waiting"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"


class DifferentLabel(Exception):
    """The row has another label, which is not to be replaced."""


class NoSuchRow(Exception):
    """The request had fewer rows, or fewer were kept. `rows` says how many."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.rows = rows


class AnswersExpired(Exception):
    """The answers, which a label has been compared with, are not kept any more."""
