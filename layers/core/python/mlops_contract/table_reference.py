"""What the held-out rows had in each column of a table model, as counts in bins. Drift compares production with it.

The first bin of every column counts missing values. Of numbers follow: below the training range, up to ten bins
between quantiles, above the range. Of categories: each of the most frequent levels, the other known ones, and those
that were not seen in training. Needs the standard library only; `column_bins` counts rows with numpy.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from mlops_contract.columns import ColumnType
from mlops_contract.contract import Contract, ContractError, Task

FORMAT = 1
MAX_WATCHED = 1000
"""Of more columns, the first ones are watched: a manifest and a log line have limits."""
QUANTILE_BINS = 10
MISSING = 0
"""The place of the bin of missing values."""
BELOW = 1
ABOVE = UNSEEN = -1
OTHER = -2
PREDICTION = "prediction"
_LAYOUT_BYTES = 6
_LARGEST_COUNT = 1 << 53


class Kind(StrEnum):
    """How the values of a column are put into bins. Of `presence` only whether there is one, as of datetimes: time goes
    on, and its drift says nothing."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    CATEGORY = "category"
    PRESENCE = "presence"


@dataclass(frozen=True)
class ColumnReference:
    """A column's bins, and how many held-out rows each has.

    Attributes:
        low, high: The training range of a number, both included.
        edges: The upper edges of the bins of a number within the range, included; the last bin ends with `high`.
        levels: Of a category, those that have a bin of their own.
        knows_all: Of a category, whether all that training saw is known. If not, no value counts as unseen.
    """

    name: str
    kind: Kind
    counts: tuple[int, ...]
    low: float | None = None
    high: float | None = None
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    knows_all: bool = True

    @property
    def width(self) -> int:
        """How many bins it has."""
        match self.kind:
            case Kind.NUMBER:
                return 4 + len(self.edges)
            case Kind.CATEGORY:
                return 3 + len(self.levels)
            case Kind.BOOLEAN:
                return 3
        return 2

    @property
    def ordered(self) -> slice | None:
        """Which of the bins are in the order of their values; None if the values have no order."""
        return slice(BELOW, None) if self.kind is Kind.NUMBER else None

    def bins(self) -> list[str]:
        """Name the bins, in their order, for people."""
        match self.kind:
            case Kind.NUMBER:
                edges = [_text(edge) for edge in (self.low, *self.edges, self.high)]
                within = [f"{first} to {last}" for first, last in pairwise(edges)]
                return ["missing", f"below {edges[0]}", *within, f"above {edges[-1]}"]
            case Kind.CATEGORY:
                return ["missing", *self.levels, "other", "unseen"]
            case Kind.BOOLEAN:
                return ["missing", "false", "true"]
        return ["missing", "present"]

    def to_document(self) -> dict[str, Any]:
        """Return the column as a JSON object."""
        document = asdict(self) | {name: list(getattr(self, name)) for name in ("counts", "edges", "levels")}
        return {name: value for name, value in document.items() if value not in (None, [])}


@dataclass(frozen=True)
class TableReference:
    """The watched columns in the order of the contract, and for a regression model its answers.

    Attributes:
        rows: How many rows were held out.
        prediction: The answers to these rows, as a column of numbers; None for classes, which are counted elsewhere.
    """

    rows: int
    columns: tuple[ColumnReference, ...]
    prediction: ColumnReference | None = None

    @property
    def watched(self) -> tuple[ColumnReference, ...]:
        """The columns, and the answers last: the order of the counts."""
        return self.columns if self.prediction is None else (*self.columns, self.prediction)

    @property
    def size(self) -> int:
        """How many bins there are in all."""
        return sum(column.width for column in self.watched)

    @property
    def layout(self) -> str:
        """Identify the bins: counts can be added and compared if they have the same layout. 12 hexadecimal digits."""
        bins = [
            [column.name, column.kind.value, column.low, column.high, column.edges, column.levels, column.knows_all]
            for column in self.watched
        ]
        return hashlib.blake2b(json.dumps([FORMAT, bins]).encode(), digest_size=_LAYOUT_BYTES).hexdigest()

    def to_document(self) -> dict[str, Any]:
        """Return the reference as a JSON object."""
        prediction = {} if self.prediction is None else {PREDICTION: self.prediction.to_document()}
        columns = [column.to_document() for column in self.columns]
        return {"format": FORMAT, "rows": self.rows, "columns": columns, **prediction}

    @classmethod
    def from_document(cls, document: Any, contract: Contract) -> "TableReference | None":
        """Read and check a reference; None if it has another format, which a later version of the platform wrote.

        Raises:
            ContractError: A field is missing or wrong, or the columns are not those of the contract.
        """
        if not isinstance(document, dict):
            raise ContractError("the field column_reference is not an object")
        if document.get("format") != FORMAT:
            return None
        try:
            prediction = document.get(PREDICTION)
            reference = cls(
                _count(document["rows"]),
                tuple(map(_column, document["columns"])),
                None if prediction is None else _column(prediction),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ContractError(f"the field column_reference cannot be read: {error!r}"[:200]) from error
        expected = [(column.name, column.type is ColumnType.STRING) for column in contract.columns[:MAX_WATCHED]]
        if [(column.name, column.kind is Kind.CATEGORY) for column in reference.columns] != expected:
            raise ContractError("the columns of column_reference are not those of the contract")
        numeric = reference.prediction is not None and reference.prediction.kind is not Kind.CATEGORY
        if numeric != (contract.task is Task.REGRESSION):
            raise ContractError("column_reference has a prediction of numbers if, and only if, the task is regression")
        return reference

    def split(self, counts: Any) -> Iterator[tuple[ColumnReference, tuple[int, ...]]]:
        """Yield each column with its part of the counts of all bins."""
        start = 0
        for column in self.watched:
            yield column, tuple(counts[start : start + column.width])
            start += column.width


def _column(fields: Mapping[str, Any]) -> ColumnReference:
    column = ColumnReference(
        str(fields["name"]),
        Kind(fields["kind"]),
        tuple(map(_count, fields["counts"])),
        _number(fields.get("low")),
        _number(fields.get("high")),
        tuple(float(edge) for edge in fields.get("edges", ())),
        tuple(str(level) for level in fields.get("levels", ())),
        bool(fields.get("knows_all", True)),
    )
    if len(column.counts) != column.width:
        raise ValueError(f"{column.name[:40]!r} has {len(column.counts)} counts for {column.width} bins")
    if column.kind is Kind.NUMBER:
        if column.low is None or column.high is None or not column.low <= column.high:
            raise ValueError(f"{column.name[:40]!r} has no range")
        if not all(first < second for first, second in pairwise(column.edges)):
            raise ValueError(f"the edges of {column.name[:40]!r} do not rise")
    return column


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _LARGEST_COUNT:
        raise ValueError("a count is not a whole number")
    return value


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _text(value: float | None) -> str:
    return f"{value:,.6g}"
