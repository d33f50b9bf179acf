"""The demo's own parts: its customers, what it shows off a terminal, and where it sends people afterwards."""

import io
from typing import Any

import pytest
from rich.console import Console

from infra.local.demo_steps import states, watch
from infra.local.demo_table import PLANS, customers
from infra.local.environment import addresses


def test_customers_have_text_missing_values_and_no_astronaut() -> None:
    rows = customers(3000, seed=1)
    assert rows == customers(3000, seed=1), "the same rows each time, so that versions can be compared"
    assert rows != customers(3000, seed=2)
    missing = {name: sum(row[name] is None for row in rows) / len(rows) for name in rows[0]}
    assert 0.03 < missing["income"] < 0.1
    assert 0.05 < missing["job"] < 0.15
    assert {row["plan"] for row in rows} == set(PLANS)
    assert "astronaut" not in {row["job"] for row in rows}
    assert 0.2 < sum(row["churned"] == "yes" for row in rows) / len(rows) < 0.6


@pytest.mark.parametrize("terminal", [False, True])
def test_each_change_is_a_line_where_nothing_can_be_drawn_again(terminal: bool) -> None:
    out = Console(file=io.StringIO(), force_terminal=terminal, color_system=None, width=60, legacy_windows=False)
    left = iter(["pending", "running", "running", "completed"])
    answers = states(lambda: next(left), lambda state: state == "completed")
    last: Any = watch(out, answers, lambda state: f"table: {state}", lambda state: state)
    assert last == "completed"
    assert isinstance(out.file, io.StringIO)
    written = out.file.getvalue()
    if terminal:
        assert "\x1b[2K" in written
        assert written.replace("\x1b[?25h", "").endswith("\n")
    else:
        assert written.splitlines() == ["  pending", "  running", "  completed", "table: completed"]


def test_jobs_that_do_not_end_end_the_demo() -> None:
    with pytest.raises(TimeoutError, match="have not ended after 0 s"):
        list(states(lambda: "running", lambda state: False, seconds=0))


def test_the_console_comes_first_and_mlflow_opens_on_its_runs() -> None:
    found = addresses({"MLOPS_API_URL": "http://127.0.0.1:8000", "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"})
    assert list(found.items()) == [
        ("console", "http://127.0.0.1:8000/console"),
        ("API documentation", "http://127.0.0.1:8000/docs"),
        ("MLflow", "http://127.0.0.1:5000/#/experiments?workflowType=machine_learning"),
    ]
    shown = addresses({"MLOPS_API_URL": "", "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}, "7")["MLflow"]
    assert shown == "http://127.0.0.1:5000/#/experiments/7/runs?workflowType=machine_learning"
