"""The SDK and `mlops feedback` and `mlops performance`, with the function itself in place of the network."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlops_client import Client
from mlops_client.cli import app, feedback
from tests.support.terminal import terminal

DAY = 24 * 3600


@pytest.fixture
def client(platform: Any, monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client("http://platform.invalid", "key")

    def call(method: str, route: str, body: Any = None, query: dict[str, Any] | None = None, **_: Any) -> Any:
        parameters = {name: str(value) for name, value in (query or {}).items() if value is not None}
        status, answer = platform.ask(method, route, body, **parameters)
        assert status in (200, 202), answer
        return answer

    monkeypatch.setattr(made.transport, "call", call)
    monkeypatch.setattr(feedback, "new_client", lambda: made)
    return made


def run(*arguments: str, fails: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments], env=terminal(160))
    assert result.exit_code == fails, (result.output, result.exception)
    return result.output


def test_one_label(platform: Any, client: Client) -> None:
    prediction = platform.answered([(0.25, 0.75), (0.9, 0.1)])
    assert run("feedback", prediction, "yes", "-m", "churn").strip() == "counted"
    assert run("feedback", prediction, "no", "--row", "1", "-m", "churn").strip() == "counted"
    assert run("feedback", prediction, "yes", "--row", "1", "--replace", "-m", "churn").strip() == "replaced"
    assert run("feedback", "order 7", "yes", "--own", "-m", "churn").strip() == "waiting"
    status = client.performance("churn")
    assert (status.versions[0].labels, status.waiting) == (2, 1)


def test_a_number_as_text_is_the_label_of_a_quantity(platform: Any, client: Client) -> None:
    prediction = platform.answered([(2.0,)], labels=())
    assert run("feedback", prediction, "1.50", "-m", "churn").strip() == "counted"
    regression = client.performance("churn").versions[0].regression
    assert regression is not None
    assert regression.mae.value == 0.5


def test_a_file(platform: Any, client: Client, tmp_path: Path) -> None:
    prediction = platform.answered([(0.25, 0.75), (0.9, 0.1)])
    file = tmp_path / "labels.csv"
    file.write_text(f"prediction_id,row,label\n{prediction},0,yes\n{prediction},1,maybe\n")
    text = run("feedback", "--file", str(file), "-m", "churn", fails=1)
    assert "1 counted, 1 refused" in text
    assert "line 3: label: must be one of the labels" in text
    file.write_text(f"prediction_id,row,label\n{prediction},0,yes\n{prediction},1,no\n")
    answer = json.loads(run("feedback", "--file", str(file), "-m", "churn", "--json"))
    assert answer["counts"] == {"unchanged": 1, "counted": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("label\nyes\n", "header"),
        ("id,prediction_id,label\n1,2,yes\n", "header"),
        ("id,label,when\n1,yes,now\n", "header"),
        ("id,label\n1\n", "line 2"),
        ("prediction_id,row,label\nA,first,yes\n", "row must be"),
        ("id,label\n", "no labels"),
        ("\xff", "header"),
    ],
)
def test_files_that_cannot_be_read(client: Client, tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(text)
    result = CliRunner().invoke(app, ["feedback", "--file", str(file)])
    assert result.exit_code != 0
    assert says in str(result.exception)


def test_the_table_of_versions(platform: Any, client: Client) -> None:
    for days in range(1, 9):
        prediction = platform.answered([(0.25, 0.75)] * 4, seconds=time.time() - days * DAY)
        labels = [{"prediction_id": prediction, "row": row, "label": "yes" if row else "no"} for row in range(4)]
        assert client.feedback_batch(labels, "churn").counts == {"counted": 4}
    text = " ".join(run("performance", "churn").split())
    assert "3 Production 32 100%" in text
    assert "accuracy 0.75 (0.57" in text
    assert "insufficient data" in text
    assert "a verdict needs 100" in text
    history = run("performance", "churn", "--history", "--hours", "240")
    assert history.count("0.75 (") == 8
    points = client.performance_history("churn", hours=240, step_hours=24).points
    assert sum(point.labels for point in points) == 32
