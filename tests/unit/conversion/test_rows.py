"""The rows of a proof are such as callers may send: whole numbers where they must be, within what float32 has."""

import numpy as np
import pytest

from mlops_contract import Column, ColumnType, Contract, Task
from mlops_conversion.proof import rows

WHOLE = Column("children", ColumnType.LONG, 0)
NUMBER = Column("age", ColumnType.DOUBLE, 1)
CONTRACT = Contract(Task.CLASSIFICATION, "y", (WHOLE, NUMBER))
HELD_OUT = {"children": np.array([0.0, 4.0, np.nan]), "age": np.array([1.5, np.nan, 80.25])}


def test_numbers_beside_a_threshold():
    thresholds = {"children": np.float32([2.5, 3.0]), "age": np.float32([18.5])}
    points = dict(rows.points(CONTRACT, HELD_OUT, thresholds))
    assert points["children"].tolist() == [2.0, 3.0, 4.0]
    below, above = np.nextafter(np.float32(18.5), np.float32([-np.inf, np.inf]))
    assert points["age"].tolist() == [below, 18.5, above]


def test_a_column_without_thresholds_has_quantiles():
    points = dict(rows.points(CONTRACT, HELD_OUT, {}))
    assert {1.5, 80.25} < set(points["age"])


def test_there_are_not_too_many_points():
    thresholds = {"age": np.arange(100_000, dtype=np.float32)}
    points = dict(rows.points(CONTRACT, HELD_OUT, thresholds))["age"]
    assert 1_900 < len(points) <= rows.POINTS_PER_COLUMN
    assert {0.0, 99_999.0} < set(points)


@pytest.mark.parametrize(
    ("column", "values", "extremes", "beyond"),
    [
        (WHOLE, [0.0, 4.0, np.nan], {0.0, 4.0}, {-4.0, 8.0}),
        (WHOLE, [0.0, 16_777_216.0], {0.0, 16_777_216.0}, {-16_777_216.0}),
        (NUMBER, [1.5, 80.25], {1.5, 80.25}, {0.0, -77.25, 159.0}),
        (NUMBER, [-3e38, 3e38], {float(np.float32(-3e38)), 0.0, float(np.float32(3e38))}, set()),
        (NUMBER, [np.nan], set(), set()),
        (Column("member", ColumnType.BOOLEAN, 0), [1.0], {0.0, 1.0}, set()),
        (Column("ids", ColumnType.LONG, 0, closed=True, low=0, high=9), [3.0], {0.0, 9.0}, set()),
    ],
)
def test_extremes(column: Column, values: list[float], extremes: set[float], beyond: set[float]):
    assert set(rows.extremes(column, np.array(values)).tolist()) == extremes
    assert set(rows.beyond(column, np.array(values)).tolist()) == beyond


def test_the_ends_that_training_saw_are_extremes():
    column = Column("age", ColumnType.DOUBLE, 0, low=-10.0, high=200.0)
    assert {-10.0, 200.0} < set(rows.extremes(column, np.array([1.0, 2.0])).tolist())
    assert set(rows.beyond(column, np.array([1.0, 2.0])).tolist()) == {-220.0, 410.0}


def test_both_models_see_float32():
    columns = rows.rounded(CONTRACT, {"children": [16_777_217.0, None], "age": [0.1, np.nan]})
    assert columns["children"][0] == 16_777_216.0
    assert columns["age"][0] == np.float32(0.1)
    assert np.isnan([columns["children"][1], columns["age"][1]]).all()


def test_text_that_a_column_knows_is_not_unseen():
    column = Column("job", ColumnType.STRING, 0, levels=("a value never seen", "nurse"), null_token="0")
    unseen = rows.unseen(column, np.array(["pilot", None], object))
    assert {"NURSE", "PILOT"} < set(unseen)
    assert {"a value never seen", "nurse", "pilot", "0", ""}.isdisjoint(unseen)
