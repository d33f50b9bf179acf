"""Rows to a table model's inputs: what is taken, what is refused and why, and that there is one meaning of a value."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_contract import DATE_PARTS, Column, ColumnType, Contract, Task
from mlops_contract.contract import CATEGORIES, NUMBERS
from mlops_contract.dates import date_parts, parts_of
from mlops_contract.rows import FEW_ROWS, MAX_WARNINGS, RowEncoder, RowsRefused, encode_columns
from mlops_contract.whole_columns import ColumnsRefused
from tests.support.fuzzing import budget
from tests.support.table_models import COLUMNS, NUMBER_COLUMNS, ROW, changed, contract

ENCODER = RowEncoder(contract())


def refusals(rows: list[dict[str, Any]], encoder: RowEncoder = ENCODER) -> list[tuple[int, str, str]]:
    with pytest.raises(RowsRefused) as refused:
        encoder.encode(rows)
    return [tuple(refusal) for refusal in refused.value.refusals]


def message(**changes: Any) -> str:
    """Why the row is refused with these values."""
    (only,) = refusals([ROW | changes])
    assert only[:2] == (0, next(iter(changes)))
    return only[2]


def test_a_row_becomes_the_models_inputs() -> None:
    encoded = ENCODER.encode([ROW])
    assert encoded.warnings == []
    numbers, categories = encoded.feeds[NUMBERS], encoded.feeds[CATEGORIES]
    assert (numbers.dtype, numbers.shape, categories.dtype, categories.shape) == (np.float32, (1, 7), object, (1, 3))
    assert numbers.tolist() == [[41.5, 12, 1, 8903, 5, 4, 8.5]]  # a Friday in May
    assert categories.tolist() == [["baker", "gold", "called twice"]]


def test_null_is_nan_or_the_null_token() -> None:
    encoder = RowEncoder(contract(changed("job", null_token="None")))
    feeds = encoder.encode([ROW | {"age": None, "job": None, "since": None}]).feeds
    assert np.isnan(feeds[NUMBERS][0, [0, 3, 4, 5, 6]]).all()
    assert feeds[CATEGORIES][0, 0] == "None"


@pytest.mark.parametrize("rows", [1, 2 * FEW_ROWS])
def test_closed_numbers_are_those_of_a_range(rows: int) -> None:
    columns = (
        Column("id", ColumnType.LONG, 0, closed=True, low=0, high=9),
        Column("share", ColumnType.DOUBLE, 1, closed=True, low=0.25, high=0.5),
    )
    encoder = RowEncoder(contract(columns))
    inside = [{"id": 9, "share": 0.25}] * rows
    assert encoder.encode(inside).feeds[NUMBERS].tolist() == [[9, 0.25]] * rows
    beyond = [*inside[1:], {"id": 10, "share": 0.51}]
    assert refusals(beyond, encoder) == [
        (rows - 1, "id", "must be a whole number from 0 to 9: the model takes no others"),
        (rows - 1, "share", "must be a number from 0.25 to 0.5: the model takes no others"),
    ]


def test_an_input_that_no_column_needs_is_left_out() -> None:
    assert RowEncoder(contract(NUMBER_COLUMNS)).encode([{"width": 1, "count": 2}]).feeds.keys() == {NUMBERS}
    texts = contract((Column("text", ColumnType.STRING, 0),))
    assert RowEncoder(texts).encode([{"text": "a"}]).feeds.keys() == {CATEGORIES}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"age": "41"}, "must be a number, not a string"),
        ({"age": True}, "must be a number, not a boolean"),
        ({"age": [1]}, "must be a number, not a list"),
        ({"age": 1e39}, "as float32 has"),
        ({"age": 10**400}, "as float32 has"),
        ({"age": math.nan}, "finite number"),
        ({"age": -math.inf}, "finite number"),
        ({"visits": 1.5}, "must be a whole number, not 1.5"),
        ({"visits": 2**24 + 1}, "from -16777216 to 16777216"),
        ({"visits": -(2.0**25)}, "from -16777216 to 16777216"),
        ({"visits": math.nan}, "must be a whole number"),
        ({"visits": False}, "must be a whole number, not a boolean"),
        ({"member": 1}, "must be true or false, not a number"),
        ({"member": "true"}, "must be true or false, not a string"),
        ({"since": "17.05.2024"}, "RFC 3339"),
        ({"since": "2024-02-30"}, "RFC 3339"),
        ({"since": "20240517"}, "RFC 3339"),
        ({"since": "2024-05-17T25:00:00Z"}, "RFC 3339"),
        ({"since": "9999-12-31T23:59:59-14:00"}, "RFC 3339"),
        ({"since": 1715934600}, "not a number"),
        ({"job": 5}, "must be a string, not a number"),
        ({"job": {"a": 1}}, "must be a string, not an object"),
        ({"job": "half \ud800"}, "surrogate"),
        ({"plan": "silver"}, "must be one of 'basic', 'gold', not 'silver'"),
        ({"plan": None}, "must not be null"),
        ({"plan": ""}, "'' stands for null"),
        ({"plan": "x" * 999}, "…"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    found = message(**changes)
    assert reason in found
    assert len(found) < 250


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("2000-01-01", [0, 1, 5, 0]),
        ("2000-01-01T00:00:00", [0, 1, 5, 0]),
        ("2000-01-01t12:00:00z", [0, 1, 5, 12]),
        ("2000-01-01 12:00:00.500+02:00", [0, 1, 5, 10 + 0.5 / 3600]),
        ("1999-12-31T23:30:00Z", [-1, 12, 4, 23.5]),
        ("0001-01-01T00:00:00Z", [-730119, 1, 0, 0]),
    ],
)
def test_datetimes_become_their_parts_in_utc(value: str, parts: list[float]) -> None:
    assert ENCODER.encode([ROW | {"since": value}]).feeds[NUMBERS][0, 3:].tolist() == pytest.approx(parts)
    assert len(parts) == len(DATE_PARTS)


@given(st.datetimes(timezones=st.just(UTC)))
def test_one_time_has_the_parts_that_an_array_has(moment: datetime) -> None:
    expected = date_parts(np.array([moment.timestamp()]))[0].tolist()
    try:
        assert list(parts_of(moment)) == expected
    except ValueError:  # the last microseconds of the year 9999 are in the next one, as a double
        assert moment.year == 9999


def test_numbers_are_taken_as_json_has_them() -> None:
    feeds = ENCODER.encode([ROW | {"age": 41, "visits": 12.0}]).feeds
    assert feeds[NUMBERS][0, :2].tolist() == [41, 12]
    assert ENCODER.encode([ROW | {"visits": 2**24}]).feeds[NUMBERS][0, 1] == 2**24


def test_a_column_that_rows_may_lack_is_null_and_others_are_asked_for() -> None:
    row = {name: value for name, value in ROW.items() if name != "note"}
    assert ENCODER.encode([row]).feeds[CATEGORIES][0, 2] == ""
    del row["age"]
    assert refusals([row]) == [(0, "age", "is missing; send it, or null if it is not known")]
    assert refusals([{**ROW, "age": 1, "plan": "gold", "wage": 3}])[0][1:] == (
        "wage",
        "is not a column of this model; its columns are 'age', 'job', 'visits', 'member', 'since', 'plan', 'note'",
    )


@pytest.mark.parametrize("count", [1, FEW_ROWS, 50])
def test_the_first_five_reasons_are_named_wherever_they_are(count: int) -> None:
    wrong = {"age": "x", "job": 1, "visits": 0.5, "member": 0, "since": "y", "plan": 2}
    found = refusals([ROW] * (count - 1) + [wrong])
    assert [(row, column) for row, column, _ in found] == [
        (count - 1, column) for column in ("age", "job", "visits", "member", "since")
    ]


class TestWarnings:
    def test_a_value_that_training_has_not_seen_is_answered_and_said(self) -> None:
        encoded = ENCODER.encode([ROW | {"job": "astronaut"}])
        assert encoded.warnings == ["job: 'astronaut' was not seen in training"]
        assert encoded.feeds[CATEGORIES][0, 0] == "astronaut"

    def test_in_a_batch_the_row_is_named(self) -> None:
        rows = [ROW, ROW | {"job": "x" * 99}, ROW | {"job": None}, ROW | {"job": ""}]
        assert ENCODER.encode(rows, batch=True).warnings == [f"rows.1.job: '{'x' * 40}'… was not seen in training"]

    def test_columns_of_free_text_are_not_warned_about(self) -> None:
        assert ENCODER.encode([ROW | {"note": "whatever"}]).warnings == []

    def test_there_are_at_most_twenty_and_the_last_counts_the_others(self) -> None:
        warnings = ENCODER.encode([ROW | {"job": f"job {index}"} for index in range(100)], batch=True).warnings
        assert len(warnings) == MAX_WARNINGS
        assert warnings[0] == "rows.0.job: 'job 0' was not seen in training"
        assert warnings[-1] == "81 further values were not seen in training"


VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.DOUBLE: st.floats(-3.4e38, 3.4e38, allow_nan=False) | st.integers(-(10**30), 10**30),
    ColumnType.LONG: st.integers(-(2**24), 2**24) | st.integers(-(2**24), 2**24).map(float),
    ColumnType.BOOLEAN: st.booleans(),
    ColumnType.STRING: st.sampled_from(["nurse", "baker", "", "é"]) | st.text(st.characters(codec="utf-8"), max_size=5),
    ColumnType.DATETIME: st.datetimes(max_value=datetime(9999, 1, 1)).map(datetime.isoformat)
    | st.dates().map(lambda day: day.isoformat()),
}
OPEN = contract(tuple(column for column in changed("plan", null_ok=True, closed=False)))
ROWS = st.lists(
    st.fixed_dictionaries({column.name: st.none() | VALUES[column.type] for column in OPEN.columns}),
    min_size=1,
    max_size=2 * FEW_ROWS,
)


@pytest.mark.fuzz
@budget(100)
@given(ROWS)
def test_rows_alone_in_a_batch_and_as_whole_columns_are_the_same_inputs(rows: list[dict[str, Any]]) -> None:
    encoder = RowEncoder(OPEN)
    batch = encoder.encode(rows, batch=True).feeds
    columns = encode_columns(OPEN, {column.name: [row[column.name] for row in rows] for column in OPEN.columns})
    for name in (NUMBERS, CATEGORIES):
        alone = np.concatenate([encoder.encode([row]).feeds[name] for row in rows])
        np.testing.assert_array_equal(batch[name], alone)
        np.testing.assert_array_equal(columns[name], alone)


ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=4)
LOOSE = st.fixed_dictionaries(
    {}, optional={**{column.name: ANY | VALUES[column.type] for column in COLUMNS}, "other": ANY}
)


@pytest.mark.fuzz
@budget(100)
@given(st.lists(LOOSE | st.just(ROW), min_size=1, max_size=2 * FEW_ROWS))
def test_a_batch_is_refused_exactly_if_one_of_its_rows_is(rows: list[dict[str, Any]]) -> None:
    alone = [index for index, row in enumerate(rows) if is_refused([row])]
    assert is_refused(rows) == bool(alone)
    if alone:
        assert refusals(rows)[0][0] == alone[0]


def is_refused(rows: list[dict[str, Any]]) -> bool:
    try:
        feeds = ENCODER.encode(rows).feeds
    except RowsRefused:
        return True
    assert feeds[NUMBERS].shape == (len(rows), 7)
    assert not np.isinf(feeds[NUMBERS]).any()
    assert all(type(text) is str for text in feeds[CATEGORIES].flat)
    return False


class TestWholeColumns:
    def test_arrays_and_lists_are_taken(self) -> None:
        columns: dict[str, Any] = {
            "age": np.array([1.5, np.nan]),
            "job": np.array(["baker", None], object),
            "visits": np.array([3, 4]),
            "member": [True, None],
            "since": np.array(["2024-05-17T08:30:00", "NaT"], "M8[us]"),
            "plan": ["gold", math.nan],
        }
        feeds = encode_columns(contract(), columns)
        expected = [[1.5, 3, 1, 8903, 5, 4, 8.5], [np.nan, 4, *[np.nan] * 5]]
        np.testing.assert_array_equal(feeds[NUMBERS], np.array(expected, np.float32))
        assert feeds[CATEGORIES].tolist() == [["baker", "gold", ""], ["", "", ""]]

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"age": ["1"]}, "age must have numbers"),
            ({"job": [1]}, "job must have strings"),
            ({"since": [5]}, "since must have datetimes"),
            ({"since": ["5"]}, "since must have times of RFC 3339"),
            ({"other": [1]}, "other is not a column"),
            ({"age": [1, 2]}, "one length"),
        ],
    )
    def test_other_types_are_refused_by_name(self, changes: dict[str, Any], reason: str) -> None:
        with pytest.raises(ColumnsRefused, match=reason):
            encode_columns(contract(), {name: [value] for name, value in ROW.items()} | changes)

    def test_a_required_column_is_missed(self) -> None:
        with pytest.raises(ColumnsRefused, match="age is missing"):
            encode_columns(contract(), {"job": ["baker"]})


def test_a_contract_reads_back_as_it_was_written() -> None:
    made = Contract(Task.REGRESSION, "price", COLUMNS)
    assert Contract.from_document(json.loads(json.dumps(made.to_document()))) == made
