"""Rollouts as the client and the command line ask for them."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from mlops_client import Client
from mlops_client.cli import app, rollouts

ROLLOUT = {
    "rollout_id": "ro_1",
    "model_name": "wine",
    "version": 7,
    "champion": 6,
    "sha256": "a" * 64,
    "status": "running",
    "phase": 1,
    "weight": 5.0,
    "plan": {"steps": [{"weight": 5, "minutes": 30}]},
    "note": "the phase takes 30 minutes",
    "figures": [
        {"guardrail": "max_error_rate", "limit": 0.01, "observed": 0.002, "observations": 900, "evidence": 0.0},
        {"guardrail": "max_latency_ratio", "limit": 2, "observed": None, "observations": 0, "evidence": 0.0},
    ],
    "actor": "ann",
    "created_at": "2026-01-01T00:00:00Z",
    "phase_began_at": "2026-01-01T00:00:00Z",
}


ACTIONS = ("pause", "resume", "abort", "complete", "approve", "reject")
COMPARISON = {
    "replaced_version": 6,
    "metrics": {"accuracy": "0.97"},
    "replaced_metrics": {"accuracy": "0.95"},
    "params": [{"name": "depth", "before": "2", "now": "4"}],
    "params_changed": 1,
}
APPROVAL = {
    "transition_id": "tr_1",
    "model_name": "wine",
    "version": 7,
    "stage": "Production",
    "status": "awaiting_approval",
    "actor": "ann",
    "created_at": "2026-01-01T00:00:00Z",
    "approvals_needed": 1,
    "gates": [{"check": "metric", "passed": True, "detail": "accuracy 0.97"}],
    "comparison": COMPARISON,
    "rollout_id": "ro_1",
}


class Answers:
    """A transport that answers everything with a rollout, and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.rollout: dict[str, Any] = ROLLOUT

    def call(self, method: str, route: str, body: Any = None, **more: Any) -> Any:
        self.asked.append((method, route, body))
        single = json.loads(json.dumps(self.rollout))
        listed = {"rollouts": [single], "next_cursor": None}
        return listed if method == "GET" and route.endswith("/rollouts") else single


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Any:
    made = Client("http://127.0.0.1:9", "secret")
    made.transport = Answers()  # type: ignore[assignment]
    monkeypatch.setattr(rollouts, "new_client", lambda: made)
    return made


def mlops(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["rollout", *arguments])


def test_start_sends_what_was_given_and_nothing_else(client: Any) -> None:
    steps = [{"weight": 5, "minutes": 30}]
    started = client.start_rollout(7, "wine", steps=steps, guardrails={"max_disagreement": None}, reason="new data")
    assert (started.rollout_id, started.ended, started.figures[0].observations) == ("ro_1", False, 900)
    body = {"version": 7, "steps": steps, "reason": "new data", "guardrails": {"max_disagreement": None}}
    assert client.transport.asked == [("POST", "/models/wine/rollouts", body)]


def test_each_action_has_its_route(client: Any) -> None:
    client.rollout("ro_1", "wine")
    for action in ACTIONS:
        getattr(client, f"{action}_rollout")("ro_1", "wine")
    assert [(method, route) for method, route, _ in client.transport.asked] == [
        ("GET", "/models/wine/rollouts/ro_1"),
        *(("POST", f"/models/wine/rollouts/ro_1/{action}") for action in ACTIONS),
    ]


def test_the_command_starts_with_steps_and_limits(client: Any) -> None:
    done = mlops("start", "7", "-m", "wine", "--step", "5:30", "--step", "12.5:60", "--max-error-rate", "0.02")
    assert done.exit_code == 0, done.output
    (_, _, body), *_ = client.transport.asked
    assert body["steps"] == [{"weight": 5.0, "minutes": 30}, {"weight": 12.5, "minutes": 60}]
    assert body["guardrails"] == {"max_error_rate": 0.02}
    assert "wine version 7, over version 6: running, 5 % of the callers" in done.output
    assert "the phase takes 30 minutes" in done.output


def test_the_command_lists_and_acts(client: Any) -> None:
    listed = mlops("list", "-m", "wine")
    assert "ro_1" in listed.output, listed.output
    for action in ("show", *ACTIONS):
        assert mlops(action, "ro_1", "-m", "wine").exit_code == 0
    assert json.loads(mlops("show", "ro_1", "--json").output)["figures"][0]["observed"] == 0.002


def test_one_that_waits_shows_what_is_decided_about_and_how(client: Any) -> None:
    client.transport.rollout = {**ROLLOUT, "status": "awaiting_approval", "weight": 0, "approval": APPROVAL}
    shown = mlops("show", "ro_1", "-m", "wine").output
    for text in ("ok    metric", "accuracy: 0.95 -> 0.97", "depth: 2 -> 4", "5 % for 30 minutes"):
        assert text in shown, shown
    assert "mlops rollout approve ro_1 --model wine" in shown
    approved = mlops("approve", "ro_1", "-m", "wine", "--comment", "the figures are fine")
    assert "accuracy: 0.95 -> 0.97" in approved.output
    assert client.transport.asked[-1] == (
        "POST",
        "/models/wine/rollouts/ro_1/approve",
        {"comment": "the figures are fine"},
    )


def test_a_rejected_one_has_ended(client: Any) -> None:
    client.transport.rollout = {**ROLLOUT, "status": "rejected"}
    assert client.rollout("ro_1", "wine").ended


def test_a_step_that_is_no_step_says_how_to_write_it(client: Any) -> None:
    done = mlops("start", "7", "--step", "five")
    assert done.exit_code != 0
    assert "WEIGHT:MINUTES" in str(done.exception)
