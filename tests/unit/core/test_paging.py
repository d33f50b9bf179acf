"""What `order_by` takes."""

import pytest

from mlops.domain.errors import ValidationFailed
from mlops.registry.sql.paging import parse_order

COLUMNS = {"started_at": "r.started_ms"}
PREFIXES = {"metrics": "(metric)", "params": "(param)"}


@pytest.mark.parametrize(
    ("text", "expression", "name", "descending"),
    [
        ("started_at", "r.started_ms", None, False),
        ("started_at DESC", "r.started_ms", None, True),
        ("metrics.accuracy desc", "(metric)", "accuracy", True),
        ("metrics.val.loss", "(metric)", "val.loss", False),
        ("metrics.`my metric` desc", "(metric)", "my metric", True),
        ('params."learning rate"  asc', "(param)", "learning rate", False),
        ("metrics.`loss desc`", "(metric)", "loss desc", False),
    ],
)
def test_these_are_orders(text, expression, name, descending):
    order = parse_order(text, COLUMNS, PREFIXES)
    assert (order.expression, order.key_name, order.descending) == (expression, name, descending)


@pytest.mark.parametrize(
    "text",
    ["", "accuracy", "metrics", "metrics.", "metrics.my metric", "metrics.`a", "started_at.x", "started_at desc x"],
)
def test_these_are_not_and_the_remedy_is_said(text):
    with pytest.raises(ValidationFailed) as refused:
        parse_order(text, COLUMNS, PREFIXES)
    assert "metrics.<name>" in refused.value.detail
    assert "backticks" in refused.value.detail
