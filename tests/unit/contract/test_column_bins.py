"""The bins of columns: what the file says of the held-out rows, and that requests are counted in the same bins."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlops_contract import Column, ColumnType, Contract, ContractError, Task
from mlops_contract.column_bins import MAX_LEVELS_OF_ALL, ColumnBins, reference_of
from mlops_contract.rows import RowEncoder
from mlops_contract.table_reference import MAX_WATCHED, TableReference

COLUMNS = (
    Column("age", ColumnType.DOUBLE, 0, low=18.0, high=90.0),
    Column("member", ColumnType.BOOLEAN, 1),
    Column("since", ColumnType.DATETIME, 2),
    Column("job", ColumnType.STRING, 0, levels=("nurse", "baker", "pilot")),
)
CONTRACT = Contract(Task.CLASSIFICATION, "outcome", COLUMNS)
ROWS: list[dict[str, Any]] = [
    {"age": 20.0 + place % 50, "member": place % 2 == 0, "since": "2024-05-17", "job": ("nurse", "baker")[place % 2]}
    for place in range(100)
]


def made(contract: Contract, rows: list[dict[str, Any]], answers: Any = None) -> tuple[TableReference, Any]:
    feeds = RowEncoder(contract).encode(rows, batch=True).feeds
    outputs = np.zeros((len(rows), 1), np.float32) if answers is None else answers
    return reference_of(contract, feeds, outputs), feeds


def counted(contract: Contract, reference: TableReference, rows: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """The bins that rows fall into, by column."""
    feeds = RowEncoder(contract).encode(rows, batch=True).feeds
    counts = ColumnBins(contract, reference).count(feeds, np.zeros((len(rows), 1), np.float32)).tolist()
    return {
        column.name: {name: count for name, count in zip(column.bins(), part, strict=True) if count}
        for column, part in reference.split(counts)
    }


def test_each_value_falls_into_its_bin() -> None:
    reference, _ = made(CONTRACT, ROWS)
    assert reference.columns[0].counts == (0, 0, *[10] * 10, 0)
    rows = [
        {"age": 17.9, "member": True, "since": None, "job": "pilot"},
        {"age": 18, "member": False, "since": "2030-01-01", "job": "astronaut"},
        {"age": 90.5, "member": None, "since": "1990-01-01", "job": None},
        {"age": None, "member": None, "since": None, "job": "nurse"},
    ]
    assert counted(CONTRACT, reference, rows) == {
        "age": {"below 18": 1, "18 to 24": 1, "above 90": 1, "missing": 1},
        "member": {"true": 1, "false": 1, "missing": 2},
        "since": {"missing": 2, "present": 2},
        "job": {"other": 1, "unseen": 1, "missing": 1, "nurse": 1},
    }


def test_the_held_out_rows_fall_into_the_bins_that_the_file_says() -> None:
    random = np.random.default_rng(0)
    columns = tuple(Column(f"c{place}", ColumnType.DOUBLE, place) for place in range(4))
    contract = Contract(Task.REGRESSION, "outcome", columns)
    values = np.column_stack(
        [random.standard_normal(500), random.poisson(1, 500), np.full(500, 3.3), np.repeat([1e30, -1e30], 250)]
    )
    rows = [dict(zip(("c0", "c1", "c2", "c3"), row, strict=True)) for row in values.tolist()]
    answers = random.standard_normal((500, 1)).astype(np.float32)
    reference, feeds = made(contract, rows, answers)
    again = TableReference.from_document(json.loads(json.dumps(reference.to_document())), contract)
    assert again == reference
    assert again.layout == reference.layout
    counts = ColumnBins(contract, again).count(feeds, answers)
    assert counts.tolist() == [count for column in reference.watched for count in column.counts]
    assert all(sum(column.counts) == 500 for column in reference.watched)
    assert [len(column.edges) for column in reference.watched] == [9, 3, 0, 1, 9]


def test_one_row_and_many_are_counted_alike() -> None:
    reference, feeds = made(CONTRACT, ROWS)
    bins = ColumnBins(CONTRACT, reference)
    outputs = np.zeros((1, 1), np.float32)
    one_by_one = sum(
        bins.count({name: feed[place : place + 1] for name, feed in feeds.items()}, outputs)
        for place in range(len(ROWS))
    )
    assert one_by_one.tolist() == bins.count(feeds, np.zeros((len(ROWS), 1), np.float32)).tolist()


def test_the_layout_is_that_of_the_bins_and_not_of_the_counts() -> None:
    reference, _ = made(CONTRACT, ROWS)
    twice, _ = made(CONTRACT, ROWS * 2)
    other, _ = made(CONTRACT, [row | {"age": row["age"] + 1} for row in ROWS])
    assert reference.layout == twice.layout
    assert reference.layout != other.layout


def test_a_wide_table_is_watched_up_to_a_limit() -> None:
    columns = tuple(Column(f"t{place}", ColumnType.STRING, place) for place in range(MAX_WATCHED + 5))
    contract = Contract(Task.CLASSIFICATION, "outcome", columns)
    random = np.random.default_rng(0)
    feeds = {"categories": random.choice(np.array([f"text {n}" for n in range(40)], object), (600, len(columns)))}
    reference = reference_of(contract, feeds, np.zeros((600, 2), np.float32))
    assert len(reference.columns) == MAX_WATCHED
    assert sum(len(column.levels) for column in reference.columns) <= MAX_LEVELS_OF_ALL
    assert len(json.dumps(reference.to_document())) < 1_000_000
    assert ColumnBins(contract, reference).count(feeds, np.zeros((600, 2), np.float32)).sum() == 600 * MAX_WATCHED


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": -1}, "whole number"),
        ({"columns": []}, "are not those of the contract"),
        ({"columns": None}, "cannot be read"),
        ({"columns": [{"name": "age", "kind": "number", "counts": [1]}]}, "1 counts for 4 bins"),
        ({"columns": [{"name": "age", "kind": "number", "counts": [1, 1, 1, 1]}]}, "no range"),
        ({"columns": [{"name": "age", "kind": "colour", "counts": [1]}]}, "colour"),
        ({"prediction": {"name": "p", "kind": "presence", "counts": [1, 1]}}, "if, and only if"),
    ],
)
def test_a_wrong_reference_is_refused_by_what_is_wrong(change: dict[str, Any], message: str) -> None:
    document = made(CONTRACT, ROWS)[0].to_document() | change
    with pytest.raises(ContractError, match=message):
        TableReference.from_document(document, CONTRACT)


def test_a_reference_of_other_types_of_columns_is_refused() -> None:
    document = made(CONTRACT, ROWS)[0].to_document()
    others = replace(CONTRACT, columns=(*COLUMNS[:3], Column("job", ColumnType.DOUBLE, 6)))
    with pytest.raises(ContractError, match="not those of the contract"):
        TableReference.from_document(document, others)


def test_a_later_format_is_none() -> None:
    assert TableReference.from_document({"format": 2, "bins": "others"}, CONTRACT) is None
