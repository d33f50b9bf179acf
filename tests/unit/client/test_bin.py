"""What is deleted and restored by the client and the command line, against answers as the API gives them."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from mlops.api.schemas.bin import BinEntry
from mlops_client import Client
from mlops_client.cli import app
from mlops_client.cli import bin as commands
from mlops_client.cli.speech import in_commands
from mlops_client.errors import BadInput
from tests.support.terminal import terminal


def entry(**values: Any) -> dict[str, Any]:
    """The API's own answer."""
    common = {"name": "wine", "deleted_at": "2026-06-01T00:00:00.000Z", "until": "2026-07-01T00:00:00.000Z"}
    made = BinEntry.model_validate({**common, "state": "kept", "actor": "ann", "reason": "it leaks", **values})
    return made.model_dump(mode="json")


VERSION, MODEL = entry(kind="version", version=3), entry(kind="model", versions=[1, 2])
RUN = entry(kind="run", name="my lab", experiment_id="7", run_id="3f2a")
EXPERIMENT = entry(kind="experiment", name="my lab", experiment_id="7")


class Answers:
    """A transport that gives out answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers, self.asked = list(answers), []  # type: ignore[var-annotated]

    def call(self, method: str, route: str, body: Any = None, query: Any = None, **more: Any) -> Any:
        sent = {name: value for name, value in (query or {}).items() if value is not None}
        self.asked.append((method, route, body if body is not None else sent))
        return json.loads(json.dumps(self.answers.pop(0)))


def run(monkeypatch: pytest.MonkeyPatch, answers: Answers, *arguments: str) -> Any:
    made = Client("http://127.0.0.1:9", "secret")
    made.transport = answers  # type: ignore[assignment]
    monkeypatch.setattr(commands, "new_client", lambda: made)
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False, env=terminal(120))


def test_a_version_and_a_model_are_deleted_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(VERSION, MODEL, VERSION, MODEL)
    result = run(monkeypatch, answers, "delete", "wine@3", "--reason", "it leaks", "--force")
    assert result.output.splitlines() == [
        "wine version 3 is in the bin until 2026-07-01T00:00:00.000Z",
        "to restore it: mlops bin restore wine@3",
    ]
    assert "model wine is in the bin" in run(monkeypatch, answers, "delete", "wine", "-r", "x").output
    assert run(monkeypatch, answers, "bin", "restore", "wine@3").output == "wine version 3 is restored\n"
    assert json.loads(run(monkeypatch, answers, "bin", "restore", "wine", "-r", "y", "--json").output) == MODEL
    assert answers.asked == [
        ("DELETE", "/models/wine/versions/3", {"reason": "it leaks", "force": "true"}),
        ("DELETE", "/models/wine", {"reason": "x"}),
        ("POST", "/models/wine/versions/3/restore", {}),
        ("POST", "/models/wine/restore", {"reason": "y"}),
    ]


def test_a_run_and_an_experiment_are_deleted_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(RUN, EXPERIMENT, RUN, EXPERIMENT)
    result = run(monkeypatch, answers, "delete", "--experiment", "lab", "--run", "3f2a", "-r", "x", "--force")
    assert result.output.splitlines() == [
        "run 3f2a of my lab is in the bin until 2026-07-01T00:00:00.000Z",
        "to restore it: mlops bin restore --experiment 'my lab' --run 3f2a",
    ]
    result = run(monkeypatch, answers, "delete", "-e", "my lab", "-r", "x")
    assert "to restore it: mlops bin restore --experiment 'my lab'" in result.output
    assert run(monkeypatch, answers, "bin", "restore", "-e", "lab", "--run", "3f2a").exit_code == 0
    assert run(monkeypatch, answers, "bin", "restore", "-e", "my lab").output == "experiment my lab is restored\n"
    assert answers.asked == [
        ("DELETE", "/experiments/lab/runs/3f2a", {"reason": "x", "force": "true"}),
        ("DELETE", "/experiments/my%20lab", {"reason": "x"}),
        ("POST", "/experiments/lab/runs/3f2a/restore", {}),
        ("POST", "/experiments/my%20lab/restore", {}),
    ]


def test_nothing_is_deleted_without_a_reason_or_with_half_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers()
    assert run(monkeypatch, answers, "delete", "wine@3").exit_code == 2
    for target in ("wine@", "@3", "wine@latest"):
        with pytest.raises(BadInput, match="expected MODEL or MODEL@VERSION"):
            run(monkeypatch, answers, "delete", target, "--reason", "x")
    for wrong in ([], ["--run", "3f2a"], ["wine", "--experiment", "lab"]):
        with pytest.raises(BadInput, match="name a model"):
            run(monkeypatch, answers, "delete", *wrong, "--reason", "x")
    assert answers.asked == []


def test_the_bin_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    page = {"entries": [VERSION, MODEL], "total_count": 2, "next_cursor": None}
    lines = run(monkeypatch, Answers(page), "bin", "list").output.splitlines()
    assert [word in lines[1] for word in ("wine version 3", "2026-07-01", "ann", "it leaks")] == [True] * 4
    assert "model wine" in lines[2]
    nothing = {"entries": [], "total_count": 0, "next_cursor": None}
    assert "the bin is empty" in run(monkeypatch, Answers(nothing), "bin", "list").output


def test_messages_name_the_commands() -> None:
    assert in_commands("restore it with POST /models/wine/versions/3/restore") == (
        "restore it with mlops bin restore wine@3"
    )
    assert in_commands("restore it with POST /models/wine/restore") == "restore it with mlops bin restore wine"
    assert in_commands("with POST /experiments/7/restore") == "with mlops bin restore --experiment 7"
    assert in_commands("with POST /experiments/7/runs/3f2a/restore") == (
        "with mlops bin restore --experiment 7 --run 3f2a"
    )
    assert in_commands("first: DELETE /models/wine/versions/3") == "first: mlops delete wine@3"
    assert in_commands("GET /bin lists what is") == "mlops bin list lists what is"
