"""What was found in a table (its data profile): what each column holds, what was left out, and how it was split."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

TOP_LEVELS = 20
"""The profile has this many levels of a category, the most frequent ones."""


@dataclass(frozen=True)
class Quantiles:
    """The distribution of a number, or of a datetime as ISO text, which has no mean."""

    min: float | str
    p25: float | str
    median: float | str
    p75: float | str
    max: float | str
    mean: float | None


@dataclass(frozen=True)
class LevelCount:
    """How many rows have a value."""

    value: str | int
    count: int


@dataclass(frozen=True)
class ColumnProfile:
    """A column's content in the training rows.

    Attributes:
        name: Its name in the table.
        type: Its type in the contract.
        missing: The share of rows without a value.
        distinct: How many different values it has; an estimate, except for strings.
        levels: Of strings, the most frequent levels.
        other: Of strings, how many rows have a value that is no level of its own.
        quantiles: Of numbers and datetimes.
    """

    name: str
    type: str
    missing: float
    distinct: int
    levels: tuple[LevelCount, ...] | None = None
    other: int | None = None
    quantiles: Quantiles | None = None


@dataclass(frozen=True)
class LeftOut:
    """A column that the model does not get, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class TargetProfile:
    """What is predicted, in all rows: the rows of each class, or the distribution of the quantity.

    `missing` counts the rows without a target, which were left out.
    """

    name: str
    task: str
    missing: int
    classes: tuple[LevelCount, ...] | None = None
    quantiles: Quantiles | None = None


@dataclass(frozen=True)
class DataProfile:
    """The profile of a table. `rows` says how many rows each part has: train, validation and held_out."""

    name: str
    rows: Mapping[str, int]
    target: TargetProfile
    columns: tuple[ColumnProfile, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]

    def to_document(self) -> dict[str, Any]:
        """Return the profile as a JSON object. What does not apply to a column is absent."""
        return {
            "name": self.name,
            "rows": dict(self.rows),
            "target": _present(asdict(self.target)),
            "columns": [_present(asdict(column)) for column in self.columns],
            "left_out": [asdict(column) for column in self.left_out],
            "notes": list(self.notes),
        }


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    document = {name: value for name, value in fields.items() if value is not None}
    if "quantiles" in document:
        document["quantiles"] = _present(document["quantiles"])
    return document
