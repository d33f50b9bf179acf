"""Columns that are read with their types give exactly what their text gives."""

from datetime import UTC, date, datetime
from io import BytesIO

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as arrow_parquet

from mlops_data import tables
from mlops_data.dataset import Dataset
from mlops_data.errors import DataError
from mlops_data.options import DataOptions
from mlops_data.tables import delimited, parquet, sample

ROWS = 1500
"""More than the sample of a delimited file has."""
NAMES = ("price", "count", "day", "moment", "flag")


def rows() -> list[list[str]]:
    """Rows of which each column but the last two has a hint."""
    random = np.random.default_rng(5)
    return [
        [
            f"{random.normal():.2f}" if row % 9 else "",
            str(random.integers(-50, 50)),
            f"20{random.integers(10, 26)}-01-{random.integers(10, 29)}",
            f"20{random.integers(10, 26)}-0{random.integers(1, 10)}-11 1{random.integers(0, 10)}:05:00",
            ("yes", "no")[random.integers(2)],
            ("a", "b")[row % 2],
        ]
        for row in range(ROWS)
    ]


def csv_of(cells: list[list[str]]) -> bytes:
    return "\n".join([",".join((*NAMES, "label")), *map(",".join, cells)]).encode()


def outcome(read: Dataset) -> object:
    assert read.profile is not None
    return read.digest, read.profile, read.contract, read.train.inputs.tobytes(), read.held_out.targets.tobytes()


def both(content: bytes, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What a delimited file gives with its hints, and without any: the data set or the error."""
    found: list[object] = []
    for hints in (sample.hints_of, lambda *_: {}):
        monkeypatch.setattr(delimited, "hints_of", hints)
        try:
            found.append(outcome(tables.read("set.csv", content)))
        except DataError as error:
            found.append(str(error))
    return found


def test_the_first_rows_hint_at_types() -> None:
    cells = rows()[: sample.sample_rows(6)]
    hints = sample.hints_of(cells, (*NAMES, "label"), ["label"])
    assert {position: hint.stored for position, hint in hints.items()} == {
        0: "DOUBLE",
        1: "BIGINT",
        2: "DATE",
        3: "TIMESTAMP",
    }
    assert 1 not in sample.hints_of(cells, (*NAMES, "label"), ["count"]), "its text is asked for"


@pytest.mark.parametrize(
    "cells", [("007",), ("7.0", "8.0"), ("1e3",), ("NA",), ("2025-1-31",), (" 7",), ("+7",), ("",)]
)
def test_cells_whose_text_says_more_than_their_value_stay_text(cells: tuple[str, ...]) -> None:
    assert sample.hints_of([[cell] for cell in cells], ["own"], []) == {}


def test_typed_columns_give_what_their_text_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    typed, text = both(csv_of(rows()), monkeypatch)
    assert typed == text
    assert not isinstance(typed, str)


@pytest.mark.parametrize(
    "cell",
    [
        "NA",
        "-",
        "007",
        "7.0",
        "1_000",
        "inf",
        "nan",
        "1e400",
        "3.5e38",
        "-0",
        "+5",
        " 5 ",
        "word",
        "2025-02-30",
        "99999999",
        "10000-01-01",
        "2025-01-31 10:00",
        "2025-01-31 25:00:00",
        "9223372036854775808",
    ],
)
@pytest.mark.parametrize("column", range(4))
def test_a_late_cell_that_does_not_confirm_the_hint_is_read_as_ever(
    cell: str, column: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = rows()
    cells[-2][column] = cell
    typed, text = both(csv_of(cells), monkeypatch)
    assert typed == text


def test_a_late_misfit_is_named_by_its_line_and_column() -> None:
    cells = rows()
    cells[-2][1] = "word"
    with pytest.raises(DataError, match=rf"line {ROWS}, column 'count': 'word' is not a number"):
        tables.read("set.csv", csv_of(cells))
    cells[-2] = ["1", "2"]
    with pytest.raises(DataError, match=rf"line {ROWS} has 2 columns, the header has 6"):
        tables.read("set.csv", csv_of(cells))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([(row * 7919) % 101 - 50 if row % 5 else None for row in range(ROWS)], pa.int16()),
        pa.array([(row * 7919) % 101 for row in range(ROWS)], pa.uint64()),
        pa.array([row * 2**40 for row in range(ROWS)], pa.int64()),
        pa.array(range(ROWS), pa.int32()),
        pa.array([float(row % 17) for row in range(ROWS)]),
        pa.array([row / 7 if row % 5 else float("nan") for row in range(ROWS)]),
        pa.array([row / 7 if row % 5 else float("inf") for row in range(ROWS)]),
        pa.array([row / 7 for row in range(ROWS)], pa.float32()),
        pa.array([date(1500 + row % 400, 1, 1 + row % 28) for row in range(ROWS)]),
        pa.array([datetime(2020, 1, 1 + row % 28, row % 24, microsecond=row, tzinfo=UTC) for row in range(ROWS)]),
        pa.array([1_000_000 * row for row in range(ROWS)], pa.timestamp("ns")),
        pa.array([253402300800_000 + row for row in range(ROWS)], pa.timestamp("ms")),
        pa.array([None] * ROWS, pa.float64()),
    ],
    ids=str,
)
@pytest.mark.parametrize("role", [None, "number", "category", "datetime"])
def test_a_stored_type_gives_what_its_text_gives(
    column: pa.Array, role: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = BytesIO()
    other = pa.array([row % 13 / 3 for row in range(ROWS)])
    label = pa.array([("a", "b")[row % 2] for row in range(ROWS)])
    arrow_parquet.write_table(pa.table({"own": column, "other": other, "label": label}), file)
    options = DataOptions(columns={"own": role} if role else {})  # type: ignore[dict-item]
    found: list[object] = []
    for kinds in (parquet.VALUE_TYPES, {}):
        monkeypatch.setattr(parquet, "VALUE_TYPES", kinds)
        try:
            found.append(outcome(tables.read_parquet("set.parquet", file.getvalue(), options)))
        except DataError as error:
            found.append(str(error))
    assert found[0] == found[1]
