"""mlops drift --columns: a table of the columns, and both histograms of those that moved."""

from typing import Any

import pytest
from typer.testing import CliRunner

from mlops_client.cli import app, drift, drift_columns
from mlops_client.models import DriftColumns, DriftStatus
from mlops_client.records import decode
from tests.support.terminal import terminal

WINDOW = {"start": "2026-01-30T00:00:00Z", "end": "2026-01-31T00:00:00Z", "hours": 24, "samples": 900}
THRESHOLDS = {"warning": 0.1, "alert": 0.2, "retrain": 0.25, "alpha": 0.01, "minimum_samples": 200} | {
    "share_warning": 0.01,
    "share_alert": 0.03,
    "columns_alpha": 0.01,
}


def column(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "role": "input",
        "kind": "number",
        "status": "stable",
        "changes": [],
        "message": None,
        "psi": 0.01,
        "raw_psi": None,
        "p_value": 0.5,
        "missing": 0.02,
        "reference_missing": 0.02,
        "unseen": None,
        "reference_unseen": None,
        "below_range": 0.0,
        "above_range": 0.0,
        "bins": ["missing", "below 0", "0 to 7", "above 7"],
        "counts": [10, 0, 490, 0],
        "reference_counts": [20, 0, 980, 0],
    } | changes


MOVED = column(
    "income",
    status="alert",
    changes=["above_range"],
    message="income: 38 % of the rows are above the training range; were units changed?",
    above_range=0.38,
    counts=[10, 0, 300, 190],
)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, columns: list[dict[str, Any]]) -> tuple[str, list[Any]]:
    asked: list[Any] = []

    class Client:
        def drift_columns(self, *values: Any) -> DriftColumns:
            asked.append(values)
            answer = {"model_name": "churn", "model_version": 3, "status": "alert", "message": "income: were units …"}
            counts = {"rows": 500, "reference_rows": 1000, "current": WINDOW, "thresholds": THRESHOLDS}
            return decode(DriftColumns, answer | counts | {"columns": columns})

    monkeypatch.setattr(drift_columns, "new_client", Client)
    result = CliRunner().invoke(app, ["drift", "churn", *arguments], env=terminal(120))
    assert result.exit_code == 0, result.output
    return result.output, asked


def test_columns_that_moved_have_both_histograms(monkeypatch: pytest.MonkeyPatch) -> None:
    text, asked = run(monkeypatch, "--columns", columns=[MOVED, column("age")])
    assert asked == [("churn", None, None)]
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert any(line.startswith("income 0.0100 2.0 % 38.0 % alert") for line in lines)
    assert any(line.startswith("age 0.0100 2.0 % 0.0 % stable") for line in lines)
    assert any(line.startswith("above 7 38.0 %") and "0.0 %" in line for line in lines)
    assert "below 0 " not in text.split("above 7")[1]
    assert text.count("were units changed?") == 1
    assert "500 counted rows of 900 predictions in 24 h" in text


def test_one_column_is_shown_whether_it_moved_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    text, asked = run(monkeypatch, "--column", "age", "--current-hours", "6", columns=[column("age")])
    assert asked == [("churn", 6, "age")]
    assert "age: no change." in text
    assert "0 to 7" in text


def test_programs_get_json(monkeypatch: pytest.MonkeyPatch) -> None:
    text, _ = run(monkeypatch, "--columns", "--json", columns=[MOVED])
    assert '"reference_counts"' in text


def test_why_there_is_no_verdict_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    few = "The current window has 12 predictions of the 200 that a verdict needs."
    none = "The version has no reference."
    comparison = {"status": "insufficient_data", "samples": 0, "signals": []}
    answer = {
        "model_name": "churn",
        "model_version": 3,
        "status": "insufficient_data",
        "message": few,
        "columns": None,
        "psi": None,
        "signal": None,
        "column": None,
        "against": None,
        "thresholds": THRESHOLDS,
        "current": WINDOW,
        "baseline": WINDOW,
        "reference_samples": 0,
        "reference_distribution": None,
        "current_distribution": {},
        "baseline_distribution": {},
        "comparisons": [
            comparison | {"against": "reference", "note": none},
            comparison | {"against": "baseline", "note": few},
        ],
    }

    class Client:
        def drift(self, *_: Any) -> DriftStatus:
            return decode(DriftStatus, answer)

    monkeypatch.setattr(drift, "new_client", Client)
    text = CliRunner().invoke(app, ["drift", "churn"], env=terminal(120)).output
    assert (text.count(few), text.count(none)) == (1, 1), text
