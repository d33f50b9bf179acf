"""Cursors that no list has returned are refused by name, and those of any name come back."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlops.aws.dynamodb import MAX_KEY_BYTES
from mlops.domain.errors import ValidationFailed
from mlops.domain.pagination import decode_cursor, encode_cursor
from mlops.registry.sql.paging import Order, parse_order
from tests.support.fuzzing import JSON, budget

pytestmark = pytest.mark.fuzz

MAX_CURSOR = 2000
"""What the API takes (`mlops.api.pagination`)."""
ORDERS = [Order("e.experiment_id", False), Order("r.run_name", True), Order("(SELECT …)", True, "accuracy")]


def refused(error: ValidationFailed) -> None:
    assert [field["field"] for field in error.extra["errors"]] == ["cursor"]


@budget(200)
@given(text=st.text(st.characters(codec=None)) | st.binary().map(lambda key: encode_cursor(key.decode("latin-1"))))
@example(text=encode_cursor("j" * (MAX_KEY_BYTES + 1)))
@example(text=encode_cursor("é" * (MAX_KEY_BYTES // 2 + 1)))
def test_any_text_is_a_key_that_the_tables_take_or_refused(text: str) -> None:
    try:
        key = decode_cursor(text, MAX_KEY_BYTES)
    except ValidationFailed as error:
        refused(error)
    else:
        assert 1 <= len(key.encode()) <= MAX_KEY_BYTES
        assert "\0" not in key


@budget(200)
@given(order=st.sampled_from(ORDERS), content=st.lists(JSON, max_size=6) | JSON, own=st.booleans())
def test_any_json_is_a_place_in_the_list_or_refused(order: Order, content: Any, own: bool) -> None:
    if own and isinstance(content, list):
        content = [order.expression, order.key_name, order.descending, *content]
    try:
        _, _, values = order.clauses("id", encode_cursor(json.dumps(content)))
    except ValidationFailed as error:
        refused(error)
    else:
        assert isinstance(values["after_key"], str | int | float | None)
        assert type(values["after_id"]) in (str, int)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=250)
"""As long as MLflow lets names of runs, metrics and experiments be."""


@budget(100)
@given(name=NAMES)
@example(name="🙂" * 250)
def test_the_cursor_of_any_name_is_taken_back(name: str) -> None:
    order = Order("r.run_name", True)
    cursor = order.cursor(name, "0" * 32)
    assert len(cursor) <= MAX_CURSOR
    _, _, values = order.clauses("r.run_id", cursor)
    assert (values["after_key"], values["after_id"]) == (name, "0" * 32)


@pytest.mark.parametrize("prefix", ["metrics", "params"])
def test_so_is_that_of_a_metric_of_the_longest_name(prefix: str) -> None:
    from mlops.registry.sql.catalogue import _RUN_KEYS, _RUN_ORDERS

    order = parse_order(f"{prefix}.`{'🙂' * 250}` desc", _RUN_ORDERS, _RUN_KEYS)
    assert len(order.cursor(-1.2345678901234567e-300, "0" * 32)) <= MAX_CURSOR
