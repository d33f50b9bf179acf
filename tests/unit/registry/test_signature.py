"""What callers would have to change: the gate lists it, and lets through what changes nothing for them."""

from dataclasses import replace
from typing import Any

import pytest

from mlops.domain.model_description import ModelInput
from mlops_contract import Column, ColumnType, Contract, Task
from promotion.signature import MAX_CHANGES, changes_for_callers
from tests.support.table_models import COLUMNS, NUMBER_COLUMNS, changed, contract


class Model:
    """What is described of a model."""

    def __init__(
        self,
        made: Contract | None = None,
        labels: tuple[int | str, ...] = ("no", "yes"),
        vector: ModelInput | None = None,
    ) -> None:
        self.input, self.labels, self.contract = vector, labels, made


def changes(new: Model, old: Model | None = None) -> str:
    return changes_for_callers(new, old or Model(contract()), "Production")


NEW = Column("wage", ColumnType.DOUBLE, 7)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (COLUMNS[1:], "it does not take the column 'age'"),
        ((*COLUMNS, NEW), "it needs the column 'wage', which the version in Production does not have"),
        (changed("age", type=ColumnType.LONG), "the column 'age' is long, and double in Production"),
        (changed("member", type=ColumnType.DOUBLE), "the column 'member' is double, and boolean in Production"),
        (changed("age", null_ok=False), "the column 'age' must not be null"),
        (changed("note", absent_ok=False), "rows must have the column 'note'"),
        (changed("job", closed=True), "the column 'job' takes fewer values"),
        (changed("plan", levels=("basic",)), "the column 'plan' takes fewer values"),
        (changed("age", closed=True, low=0.0, high=99.0), "the column 'age' takes fewer values"),
    ],
)
def test_a_column_that_asks_callers_for_something_is_listed(columns: Any, expected: str) -> None:
    assert changes(Model(contract(columns))) == expected


@pytest.mark.parametrize(
    "columns",
    [
        COLUMNS,
        COLUMNS[::-1],
        (*COLUMNS, replace(NEW, absent_ok=True)),
        changed("visits", type=ColumnType.DOUBLE),
        changed("plan", null_ok=True, closed=False),
        changed("plan", levels=("gold", "basic", "silver")),
        changed("age", low=-5.0, high=200.0, absent_ok=True),
        changed("job", levels=("pilot",)),
    ],
    ids=range(8),
)
def test_what_takes_every_row_of_before_changes_nothing(columns: Any) -> None:
    assert changes(Model(contract(columns))) == ""


def test_closed_numbers_take_what_a_narrower_range_took() -> None:
    narrow, wide = (Model(contract(changed("visits", closed=True, low=0.0, high=high))) for high in (9.0, 20.0))
    assert changes(wide, narrow) == ""
    assert changes(narrow, wide) == "the column 'visits' takes fewer values"


def test_labels_and_task_are_compared() -> None:
    assert changes(Model(contract(), labels=("no", "maybe"))).startswith("the labels 'no', 'maybe'")
    quantity = Model(contract(task=Task.REGRESSION), labels=())
    assert changes(quantity) == "it predicts a quantity, and the version in Production classes"
    assert changes(Model(contract()), quantity) == "it predicts classes, and the version in Production a quantity"
    assert changes(quantity, quantity) == ""


def test_many_changes_are_counted() -> None:
    wide = [Column(f"c{index}", ColumnType.DOUBLE, index) for index in range(99)]
    found = changes(Model(contract((NEW,))), Model(contract(tuple(wide))))
    assert found.endswith(f"; and {100 - MAX_CHANGES} more")


def test_a_table_of_numbers_takes_the_place_of_vectors_and_another_does_not() -> None:
    vector = Model(vector=ModelInput("inputs", 2))
    assert changes(Model(contract(NUMBER_COLUMNS)), vector) == ""
    assert changes(Model(contract()), vector) == (
        "rows of 7 named columns, and the version in Production takes vectors with 2 features"
    )
    assert "vectors with 2 features, and" in changes(vector, Model(contract(NUMBER_COLUMNS)))
    image = Model(vector=ModelInput("inputs", 2, (1, 2)))
    assert "images of 1×2" in changes(Model(contract(NUMBER_COLUMNS)), image)


def test_lists_of_numbers_would_be_read_in_another_order() -> None:
    numbers = Model(contract(NUMBER_COLUMNS))
    assert "another order" in changes(Model(contract(NUMBER_COLUMNS[::-1])), numbers)
