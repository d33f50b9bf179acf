"""A column of a table model: its type, what is allowed in it, and its place in the model's inputs."""

from dataclasses import dataclass
from enum import StrEnum

DATE_PARTS = ("days", "month", "weekday", "hour")
"""A datetime becomes these numbers: whole days since 2000-01-01, month 1 to 12, weekday 0 (Monday) to 6, and hours
since midnight with their fraction. float32 has each of them to the second; it would round a timestamp by minutes."""
LARGEST_WHOLE = 1 << 24
"""float32 has all whole numbers up to this one, and merges neighbours above it."""


class ColumnType(StrEnum):
    """The types of MLflow's signatures that a column may have."""

    DOUBLE = "double"
    LONG = "long"
    BOOLEAN = "boolean"
    STRING = "string"
    DATETIME = "datetime"

    @property
    def width(self) -> int:
        """How many positions of its input a column of this type takes."""
        return len(DATE_PARTS) if self is ColumnType.DATETIME else 1


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: As callers write it.
        type: Strings are in the input `categories`, all others in `numbers`.
        position: Its first position in that input.
        absent_ok: Whether a row may lack the column, which then is null.
        null_ok: Whether null is allowed.
        closed: Whether values that are not in `levels` are refused; of numbers, those beyond `low` and `high`.
        null_token: The string that stands for null in the model's input.
        levels: The strings that were seen in training, the most frequent first; None if they are not known.
        low: The lowest number that was seen in training; of a closed column, the lowest that the model takes.
        high: The highest one.
    """

    name: str
    type: ColumnType
    position: int
    absent_ok: bool = False
    null_ok: bool = True
    closed: bool = False
    null_token: str = ""
    levels: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None

    @property
    def positions(self) -> range:
        """Its positions in its input."""
        return range(self.position, self.position + self.type.width)
