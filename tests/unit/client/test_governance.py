"""Settings, approvals and histories by the client and the command line, against answers as the API gives them."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from mlops.api.schemas.history import Verification
from mlops.api.schemas.settings import SettingsState
from mlops.domain.model_settings import ModelSettings, SettingsDefaults
from mlops_client import Client
from mlops_client.cli import app
from mlops_client.cli import governance as commands
from mlops_client.cli import operator as operator_commands
from tests.support.terminal import terminal
from tests.unit.client.test_promotions import MOVED

DEFAULTS = SettingsDefaults(0.01, 50.0, 0.001, 0.0, 0.1, 0.2, 0.25, 200, False, False, 24.0, 1, "Staging", 24, 100, 0.5)
COMPARISON = {
    "replaced_version": 6,
    "metrics": {"accuracy": "0.97"},
    "replaced_metrics": {"accuracy": "0.96"},
    "params": [{"name": "depth", "before": "2", "now": "3"}],
    "params_changed": 1,
}
WAITING = {**MOVED, "status": "awaiting_approval", "approvals_needed": 1, "decisions": [], "comparison": COMPARISON}


def state(version: int, **settings: Any) -> dict[str, Any]:
    """The API's own answer."""
    given = ModelSettings.model_validate(settings)
    made = SettingsState(
        model_name="wine", version=version, settings=given, effective=DEFAULTS.completed(given), reason="because"
    )
    return made.model_dump(mode="json")


class Answers:
    """A transport that gives out answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers, self.asked = list(answers), []  # type: ignore[var-annotated]

    def call(self, method: str, route: str, body: Any = None, **more: Any) -> Any:
        self.asked.append((method, route, body))
        return json.loads(json.dumps(self.answers.pop(0)))


def run(monkeypatch: pytest.MonkeyPatch, answers: Answers, *arguments: str) -> Any:
    made = Client("http://127.0.0.1:9", "secret")
    made.transport = answers  # type: ignore[assignment]
    for module in (commands, operator_commands):
        monkeypatch.setattr(module, "new_client", lambda: made)
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False, env=terminal(120))


def test_settings_are_shown_with_what_the_stack_says(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, Answers(state(3, approvals={"Production": 1})), "settings", "wine")
    assert result.exit_code == 0
    lines = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.strip()}
    assert lines["approvals.Production"] == ["1", "model"]
    assert lines["gate.metric_margin"] == ["0.01", "stack"]


def test_a_change_keeps_what_is_set_and_names_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(3, approvals={"Production": 1}, gate={"metric_margin": 0.5, "max_latency_ms": 9.0}, tags={"a": "b"})
    answers = Answers(before, state(4))
    sets = ["approvals.Production=2", "gate.metric_margin=null", 'owners=["ann"]', "description=for wine"]
    arguments = [part for change in sets for part in ("--set", change)]
    assert run(monkeypatch, answers, "settings", "wine", *arguments, "--reason", "audit").exit_code == 0
    method, route, body = answers.asked[-1]
    assert (method, route, body["expected_version"], body["reason"]) == ("PUT", "/models/wine/settings", 3, "audit")
    sent = ModelSettings.model_validate(body["settings"])
    assert sent == ModelSettings.model_validate(
        {
            "approvals": {"Production": 2},
            "gate": {"max_latency_ms": 9.0},
            "owners": ["ann"],
            "description": "for wine",
            "tags": {"a": "b"},
        }
    )


def test_null_goes_back_to_what_the_stack_says_for_a_whole_part_too(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(state(3, owners=["ann"], description="for wine", gate={"metric_margin": 0.5}), state(4))
    arguments = [part for name in ("owners", "description", "gate") for part in ("--set", f"{name}=null")]
    assert run(monkeypatch, answers, "settings", "wine", *arguments, "--reason", "audit").exit_code == 0
    assert ModelSettings.model_validate(answers.asked[-1][2]["settings"]) == ModelSettings()


@pytest.mark.parametrize(("problem", "code"), [(None, 0), ("entry 2 was changed", 1)])
def test_the_history_of_keys_is_shown_and_checked(
    monkeypatch: pytest.MonkeyPatch, problem: str | None, code: int
) -> None:
    entry = {"seq": 2, "at": "2026-01-31T10:00:00.000Z", "change": "made", "key_id": "3f9a", "name": "ann"}
    entry |= {"owner": "team", "role": "approve", "models": ["churn*"], "sha256": "a" * 64}
    verification = {"valid": problem is None, "problem": problem, "entries": 2, "sha256": "a" * 64}
    result = run(monkeypatch, Answers({"entries": [entry], "verification": verification}), "keys", "history")
    assert result.exit_code == code
    assert all(word in result.output for word in ("made", "ann", "approve", "churn*", "team", "3f9a", problem or ""))


@pytest.mark.parametrize("arguments", [["--set", "gate.metric_margin=1"], ["--set", "gate", "--reason", "x"]])
def test_a_change_without_a_reason_or_a_value_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    from mlops_client.errors import BadInput

    answers = Answers(state(0))
    with pytest.raises(BadInput):
        run(monkeypatch, answers, "settings", "wine", *arguments)
    assert [method for method, *_ in answers.asked] == ["GET"]


def test_approving_shows_what_changes_and_the_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(WAITING, {**MOVED, "status": "succeeded"})
    result = run(monkeypatch, answers, "approve", "tr_1", "--comment", "fine")
    assert result.exit_code == 0
    assert "wine version 1 to Production, in place of version 6; asked by ann" in result.stdout
    assert "accuracy: 0.96 -> 0.97" in result.stdout
    assert "depth: 2 -> 3" in result.stdout
    assert answers.asked[-1] == ("POST", "/models/transitions/tr_1/approve", {"comment": "fine"})


def test_one_of_two_approvals_says_that_another_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    decision = {"approved": True, "name": "bob", "owner": "bob", "at": "2026-01-01T00:00:00Z"}
    after = {**WAITING, "approvals_needed": 2, "decisions": [decision]}
    result = run(monkeypatch, Answers(WAITING, after), "approve", "tr_1")
    assert result.exit_code == 0
    assert "waits for 1 approval before it goes to Production" in result.stdout


def test_rejecting_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    rejected = {**MOVED, "status": "rejected", "error": "Rejected by bob (bob): no"}
    result = run(monkeypatch, Answers(rejected), "reject", "tr_1", "--comment", "no")
    assert (result.exit_code, "Rejected by bob" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("verification", "code"),
    [
        (Verification(valid=True, entries=2, sha256="f" * 64), 0),
        (Verification(valid=False, entries=2, problem="entry 2 was changed"), 1),
    ],
)
def test_verifying_says_whether_the_history_was_changed(
    monkeypatch: pytest.MonkeyPatch, verification: Verification, code: int
) -> None:
    answers = Answers({"transitions": [], "verification": verification.model_dump(mode="json")})
    result = run(monkeypatch, answers, "verify", "wine")
    assert result.exit_code == code
    assert (verification.problem or "as it was written") in result.output
