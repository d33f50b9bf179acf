"""Ordinary rows are encoded as all others are; every other row is left to those who look closer."""

import numpy as np
import pytest

from mlops_contract import Column, ColumnType, Contract, Task
from mlops_contract import rows as module
from mlops_contract.ordinary_rows import OrdinaryRows
from mlops_contract.rows import RowEncoder, RowsRefused
from mlops_contract.values import FLOAT32_MAX


def number(name: str, position: int, **fields: object) -> Column:
    return Column(name, ColumnType.DOUBLE, position, **fields)  # type: ignore[arg-type]


def text(name: str, position: int, **fields: object) -> Column:
    return Column(name, ColumnType.STRING, position, **{"levels": ("a", "b"), "null_token": "", **fields})  # type: ignore[arg-type]


NUMBERS = [number("x", 0), number("y", 1)]
TEXTS = [text("s", 0), text("t", 1)]
ROW = {"t": "b", "y": 2, "s": "a", "x": 0.1}


@pytest.fixture
def ordinary() -> OrdinaryRows:
    found = OrdinaryRows.of(NUMBERS, TEXTS)
    assert found is not None
    return found


def test_columns_stand_at_their_positions(ordinary: OrdinaryRows) -> None:
    feeds = ordinary.feeds(ROW)
    assert feeds is not None
    assert feeds["numbers"].dtype == np.float32
    assert feeds["numbers"].tolist() == [[np.float32(0.1), 2]]
    assert feeds["categories"].tolist() == [["a", "b"]]


@pytest.mark.parametrize(
    "change",
    [
        {"x": None},
        {"x": True},
        {"x": "1"},
        {"x": [1]},
        {"x": 1e39},
        {"y": -(10**400)},
        {"s": None},
        {"s": ""},
        {"s": "c"},
        {"s": 1},
        {"s": ["a"]},
        {"s": {"a": 1}},
        {"z": 1},
    ],
    ids=repr,
)
def test_all_others_need_a_closer_look(ordinary: OrdinaryRows, change: dict[str, object]) -> None:
    assert ordinary.feeds(ROW | change) is None
    assert ordinary.feeds({**{name: ROW[name] for name in ROW if name not in change}, "w": 1}) is None


def test_the_largest_float32_is_ordinary(ordinary: OrdinaryRows) -> None:
    feeds = ordinary.feeds(ROW | {"x": FLOAT32_MAX, "y": -FLOAT32_MAX})
    assert feeds is not None
    assert np.isfinite(feeds["numbers"]).all()


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ([number("x", 0, closed=True, low=0.0, high=1.0)], []),
        ([Column("x", ColumnType.LONG, 0)], []),
        ([Column("x", ColumnType.DATETIME, 0)], []),
        (NUMBERS, [text("s", 0, levels=None)]),
    ],
)
def test_columns_that_have_no_ordinary_rows(numbers: list[Column], texts: list[Column]) -> None:
    assert OrdinaryRows.of(numbers, texts) is None


@pytest.mark.parametrize("columns", [[NUMBERS[0]], [TEXTS[0]], [*NUMBERS, TEXTS[0]]], ids=["number", "text", "both"])
def test_the_encoder_gives_the_same_with_and_without(columns: list[Column], monkeypatch: pytest.MonkeyPatch) -> None:
    contract = Contract(Task.CLASSIFICATION, "target", tuple(columns))
    row = {name: ROW[name] for name in (column.name for column in columns)}
    quick = RowEncoder(contract).encode([row])
    monkeypatch.setattr(module.OrdinaryRows, "of", lambda *_: None)
    slow = RowEncoder(contract).encode([row])
    assert quick.warnings == slow.warnings == []
    assert quick.feeds.keys() == slow.feeds.keys()
    for name, values in quick.feeds.items():
        assert values.dtype == slow.feeds[name].dtype
        assert values.tolist() == slow.feeds[name].tolist()


def test_what_is_not_ordinary_is_refused_or_warned_of_as_before() -> None:
    encoder = RowEncoder(Contract(Task.CLASSIFICATION, "target", (*NUMBERS, *TEXTS)))
    assert encoder.encode([ROW | {"s": "c"}]).warnings == ["s: 'c' was not seen in training"]
    with pytest.raises(RowsRefused, match="x: must be a number, not a string"):
        encoder.encode([ROW | {"x": "1"}])
