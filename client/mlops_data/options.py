"""What a request says about a table: what to predict, how to read its columns, and which rows measure the model."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from mlops_contract import Task
from mlops_data.errors import DataError

ColumnRole = Literal["ignore", "number", "category", "boolean", "datetime"]
ROLES: tuple[str, ...] = get_args(ColumnRole)
HELD_OUT_SHARE = 0.2
LEAST_SHARE, LARGEST_SHARE = 0.05, 0.5


@dataclass(frozen=True)
class TimeSplit:
    """Hold out the rows whose `column` is `start` or later: an ISO date or time, or a number."""

    column: str
    start: str


@dataclass(frozen=True)
class GroupSplit:
    """Keep rows with the same value of `column` in the same part."""

    column: str


def held_out_rows(column: str, start: str | None) -> TimeSplit | GroupSplit:
    """Return the split by a column: in time if there is a start, and by group otherwise."""
    return GroupSplit(column) if start is None else TimeSplit(column, start)


@dataclass(frozen=True)
class DataOptions:
    """A request for a data set.

    Attributes:
        target: The column to predict; None for the one that is called label, target, class or y.
        task: What is predicted; None if the target's values decide.
        columns: How to read columns whose content is not what it looks like.
        held_out: Which rows are held out: a share of them, or a split in time or by group.
        weight: The column of the rows' weights.

    Raises:
        DataError: A value is not valid. Names the field.
    """

    target: str | None = None
    task: Task | None = None
    columns: Mapping[str, ColumnRole] = field(default_factory=dict)
    held_out: float | TimeSplit | GroupSplit = HELD_OUT_SHARE
    weight: str | None = None

    def __post_init__(self) -> None:
        for column, role in self.columns.items():
            if role not in ROLES:
                raise DataError(f"columns: {role!r} for the column {column!r} is none of {', '.join(ROLES)}")
        share = self.held_out
        if isinstance(share, int | float) and not LEAST_SHARE <= share <= LARGEST_SHARE:
            raise DataError(f"held_out: {share} is not a share from {LEAST_SHARE} to {LARGEST_SHARE}")

    @property
    def named(self) -> dict[str, str]:
        """The columns that the request names, each with the field that names it."""
        named = dict.fromkeys(self.columns, "columns")
        if isinstance(self.held_out, TimeSplit | GroupSplit):
            named[self.held_out.column] = "held_out"
        if self.weight is not None:
            named[self.weight] = "weight"
        if self.target is not None:
            named[self.target] = "target"
        return named

    def check_names(self, name: str, columns: Iterable[str]) -> None:
        """Raise DataError if the request names a column that the data set `name` does not have."""
        present = list(columns)
        for column, named_by in self.named.items():
            if column not in present:
                shown = ", ".join(difflib.get_close_matches(column, present, 3, 0.5) or present[:8])
                raise DataError(f"{name}: {named_by}: there is no column {column!r}; did you mean one of {shown}?")

    def check_target(self, name: str, target: str) -> None:
        """Raise DataError if the request uses the column `target` for something else too."""
        named_by = {column: field for column, field in self.named.items() if field != "target"}.get(target)
        if target in self.columns:
            raise DataError(
                f"{name}: columns: {target!r} is what is predicted; set task instead, or name another target"
            )
        if named_by:
            raise DataError(f"{name}: {named_by}: {target!r} is what is predicted; name another column")
