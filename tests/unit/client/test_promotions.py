"""Transitions and conversions as the client asks for them."""

import json
from typing import Any

import pytest

from mlops_client import Client
from mlops_client.errors import TransitionRefused, WaitTimeout
from mlops_client.routes import registry

MOVED = {
    "transition_id": "tr_1",
    "model_name": "wine",
    "version": 1,
    "stage": "Production",
    "actor": "ann",
    "created_at": "2026-01-01T00:00:00Z",
}
CONVERSION = {
    "model_name": "wine",
    "version": 1,
    "conversion_id": "conv_1",
    "status": "running",
    "actor": "ann",
    "created_at": "2026-01-01T00:00:00Z",
}


class Answers:
    """A transport that gives out answers in turn."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers, self.asked = list(answers), [("", "")]

    def call(self, method: str, route: str, body: Any = None, **more: Any) -> Any:
        self.asked.append((method, route))
        return json.loads(json.dumps(self.answers.pop(0)))


def client(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any]) -> Any:
    monkeypatch.setattr(registry.time, "sleep", lambda seconds: None)
    made = Client("http://127.0.0.1:9", "secret")
    made.transport = Answers(*answers)  # type: ignore[assignment]
    return made


def states(*names: str) -> list[dict[str, Any]]:
    return [{**MOVED, "status": name, "error": "no equivalent" if name == "rejected" else None} for name in names]


def test_promote_waits_for_a_conversion_and_tells_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    asked = client(monkeypatch, *states("queued", "queued", "converting", "converting", "succeeded"))
    moved = asked.promote(1, "wine", on_progress=lambda transition: told.append(transition.status))
    assert moved.status == "succeeded"
    assert told == ["queued", "converting"]


def test_a_conversion_that_fails_is_the_reason_of_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = client(monkeypatch, *states("converting", "rejected"))
    with pytest.raises(TransitionRefused, match="wine version 1 was rejected: no equivalent"):
        asked.promote(1, "wine")


def test_who_does_not_wait_gets_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    assert client(monkeypatch, *states("converting")).promote(1, "wine", wait=0).status == "converting"


def test_a_wait_that_is_over_says_what_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10_000, 100))
    monkeypatch.setattr(registry.time, "monotonic", lambda: float(next(now)))
    asked = client(monkeypatch, *states(*["converting"] * 20))
    with pytest.raises(WaitTimeout, match="tr_1 is still converting after 600 s; it continues"):
        asked.promote(1, "wine")


def test_a_conversion_is_started_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = client(monkeypatch, CONVERSION, {**CONVERSION, "status": "failed", "error": "no equivalent"})
    assert asked.convert(1, "wine").status == "running"
    assert asked.conversion(1, "wine").error == "no equivalent"
    route = "/models/wine/versions/1/conversion"
    assert asked.transport.asked[1:] == [("POST", route), ("GET", route)]
