"""The transitions API as API Gateway asks it, on moto's table and queue; only MLflow is in memory."""

import json
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from mlops.api.auth import AccessKeys
from mlops.aws.decisions import Decisions
from mlops.aws.promotion_queue import PromotionQueue
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.approval import Binding
from mlops.domain.stages import Stage
from mlops.domain.transition import GateResult, TransitionStatus
from mlops.registry.rest import Version
from promotion.consent import compared
from tests.support import gateway
from tests.support.crashes import Effects
from tests.support.governance import FakeHistory
from tests.unit.registry.fakes import MODEL, FakeTracking
from transitions import app
from transitions.transition_requests import TransitionRequests

Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def tracking() -> FakeTracking:
    """Three versions, the second in Production."""
    made = FakeTracking(Effects())
    for _ in range(3):
        made.add_version()
    made.aliases["production"] = 2
    return made


@pytest.fixture
def queue_url(aws: None) -> str:
    url: str = boto3.client("sqs").create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    return url


@pytest.fixture
def history() -> FakeHistory:
    return FakeHistory()


@pytest.fixture
def ask(
    transitions: TransitionsTable,
    tracking: FakeTracking,
    queue_url: str,
    history: FakeHistory,
    monkeypatch: pytest.MonkeyPatch,
) -> Ask:
    adapters: Any = (tracking, transitions, PromotionQueue(queue_url), history)
    monkeypatch.setattr(Decisions, "from_environment", lambda: Decisions(transitions, adapters[3], adapters[2]))
    requests = TransitionRequests(*adapters)
    monkeypatch.setattr(TransitionRequests, "from_environment", lambda: requests)
    monkeypatch.setattr(TransitionsTable, "from_environment", lambda: transitions)
    monkeypatch.setenv("ACCESS_KEYS_TABLE", gateway.make_access_keys())

    return partial(gateway.ask, app.handler)


def messages(queue_url: str) -> list[dict[str, Any]]:
    received = boto3.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in received]


def test_a_request_is_recorded_queued_and_answered(ask: Ask, queue_url: str, transitions: TransitionsTable) -> None:
    status, answer = ask("POST", "/models/transition", {"model_name": MODEL, "version": 1, "stage": "Staging"})
    assert status == 202
    created_at, identifier = answer.pop("created_at"), answer.pop("transition_id")
    assert answer == {
        "kind": "transition",
        "model_name": MODEL,
        "version": 1,
        "stage": "Staging",
        "rollout_id": None,
        "status": "queued",
        "from_stage": None,
        "replaced_version": None,
        "actor": "ann",
        "reason": None,
        "force": False,
        "gates": [],
        "sha256": None,
        "error": None,
        "completed_at": None,
        "actor_owner": "ann",
        "approvals_needed": 0,
        "decisions": [],
        "comparison": None,
        "waiting_since": None,
        "void": None,
    }
    recorded = transitions.get(MODEL, identifier)
    assert (recorded.created_at, recorded.request_id) == (created_at, "req-1")
    assert messages(queue_url) == [
        {"kind": "transition", "transition_id": identifier, "model_name": MODEL, "request_id": "req-1"}
    ]


def test_how_it_ended_is_shown_with_the_gates_results(ask: Ask, transitions: TransitionsTable) -> None:
    _, asked = ask("POST", "/models/transition", {"model_name": MODEL, "version": 1, "stage": "Staging"})
    recorded = transitions.find(asked["transition_id"])
    gates = (GateResult("metric", False, "worse", "metric"),)
    transitions.finish(recorded, TransitionStatus.REJECTED, error="metric: worse", gates=gates)
    status, answer = ask("GET", f"/models/transitions/{asked['transition_id']}")
    assert (status, answer["status"], answer["error"]) == (200, "rejected", "metric: worse")
    assert answer["gates"] == [{"check": "metric", "passed": False, "detail": "worse", "kind": "metric"}]
    assert ask("GET", "/models/transitions/tr_none")[0] == 404


def test_a_step_that_the_lifecycle_has_not_is_refused_with_those_it_has(ask: Ask, queue_url: str) -> None:
    status, answer = ask("POST", "/models/transition", {"model_name": MODEL, "version": 2, "stage": "Staging"})
    assert (status, answer["code"], answer["allowed"]) == (409, "transition_not_allowed", ["Archived"])
    assert answer["detail"] == "Version 2 of 'm' is in Production; from there it can go to Archived"
    assert messages(queue_url) == []


def test_a_rollback_goes_to_the_version_that_was_in_production_before(
    ask: Ask, tracking: FakeTracking, transitions: TransitionsTable
) -> None:
    tracking.aliases["production"] = 3
    assert ask("POST", f"/models/{MODEL}/rollback", {})[0] == 409
    tracking.aliases.clear()
    for version in (1, 3):
        _, asked = ask("POST", "/models/transition", {"model_name": MODEL, "version": version, "stage": "Production"})
        transitions.finish(transitions.find(asked["transition_id"]), TransitionStatus.SUCCEEDED)
    tracking.aliases["production"] = 3
    tracking.tags[1]["stage"] = "Archived"
    status, answer = ask("POST", f"/models/{MODEL}/rollback", {})
    assert status == 202
    assert (answer["version"], answer["stage"], answer["force"]) == (1, "Production", True)
    assert answer["reason"] == "rolled back from version 3"


def test_a_second_rollback_goes_further_back_and_the_last_one_is_refused_with_the_remedy(
    ask: Ask, tracking: FakeTracking, transitions: TransitionsTable
) -> None:
    tracking.aliases.clear()

    def carried_out(identifier: str) -> None:
        """As promotion does."""
        moved = transitions.find(identifier)
        replaced = tracking.aliases.get("production")
        left = Stage.ARCHIVED if tracking.tags[moved.version]["stage"] == "Archived" else Stage.REGISTERED
        moved = transitions.note(moved, from_stage=left, replaced_version=replaced)
        transitions.finish(moved, TransitionStatus.SUCCEEDED)
        tracking.aliases["production"] = moved.version
        if replaced is not None:
            tracking.tags[replaced]["stage"] = "Archived"

    for version in (1, 2, 3):
        _, asked = ask("POST", "/models/transition", {"model_name": MODEL, "version": version, "stage": "Production"})
        carried_out(asked["transition_id"])
    for expected in (2, 1):
        status, answer = ask("POST", f"/models/{MODEL}/rollback", {"reason": "it is worse"})
        assert (status, answer["version"]) == (202, expected)
        carried_out(answer["transition_id"])
    status, answer = ask("POST", f"/models/{MODEL}/rollback", {})
    assert status == 409
    assert answer["detail"] == (
        "No version of 'm' is left to go back to: 2, 3 were rolled back from or deleted; "
        "to serve another version, move it to Production with POST /models/transition"
    )


def test_a_rollback_passes_over_versions_that_were_deleted_or_are_others_by_now(
    ask: Ask, tracking: FakeTracking, transitions: TransitionsTable
) -> None:
    tracking.aliases.clear()
    for version in (1, 2, 3):
        _, asked = ask("POST", "/models/transition", {"model_name": MODEL, "version": version, "stage": "Production"})
        transitions.finish(transitions.find(asked["transition_id"]), TransitionStatus.SUCCEEDED)
    tracking.aliases["production"] = 3
    del tracking.tags[2]
    assert ask("POST", f"/models/{MODEL}/rollback", {})[1]["version"] == 1
    tracking.created_at[1] = "9999-01-01T00:00:00.000Z"
    assert ask("POST", f"/models/{MODEL}/rollback", {})[0] == 409


def test_what_is_in_the_bin_is_refused_with_the_remedy(
    ask: Ask, tracking: FakeTracking, transitions: TransitionsTable, history: FakeHistory, queue_url: str
) -> None:
    tracking.aliases.clear()
    for version in (1, 3):
        _, asked = ask("POST", "/models/transition", {"model_name": MODEL, "version": version, "stage": "Production"})
        transitions.finish(transitions.find(asked["transition_id"]), TransitionStatus.SUCCEEDED)
    tracking.aliases["production"] = 3
    tracking.tags[1]["stage"] = "Archived"
    sent = len(messages(queue_url))
    history.bin.put(MODEL, 1)
    for route, body in (
        ("/models/transition", {"model_name": MODEL, "version": 1, "stage": "Staging"}),
        (f"/models/{MODEL}/rollback", {}),
    ):
        status, problem = ask("POST", route, body)
        assert (status, problem["detail"].startswith("Version 1 of 'm' is in the bin until ")) == (409, True)
        assert f"restore it with POST /models/{MODEL}/versions/1/restore" in problem["detail"]
    assert (sent, messages(queue_url)) == (2, [])
    history.bin.versions.clear()
    assert ask("POST", f"/models/{MODEL}/rollback", {})[1]["version"] == 1


def test_who_may_train_can_ask_for_what_others_approve(ask: Ask, history: FakeHistory, queue_url: str) -> None:
    keys = AccessKeys.from_environment()
    keys.add("trainer", "tim", "train", owner="tim")
    body = {"model_name": MODEL, "version": 1, "stage": "Production"}

    def asked(**changes: Any) -> tuple[int, dict[str, Any]]:
        event = gateway.api_event("POST", "/models/transition", json.dumps({**body, **changes}), key="trainer")
        answer = app.handler(event, gateway.CONTEXT)
        return answer["statusCode"], json.loads(answer["body"])

    status, problem = asked()
    assert (status, problem["code"]) == (403, "forbidden")
    assert "a transition that nobody else has to approve needs the role approve or admin" in problem["detail"]
    history.set(approvals={"Production": 1})
    status, transition = asked()
    assert (status, transition["actor"], transition["actor_owner"]) == (202, "tim", "tim")
    assert asked(stage="Staging")[0] == 403
    assert asked(stage="Staging", force=True, reason="x")[0] == 202, "where anything needs approval, force does"
    assert asked(stage="Archived")[0] == 403
    assert len(messages(queue_url)) == 2


def test_a_request_that_waits_for_approval_is_answered_at_once(
    ask: Ask, transitions: TransitionsTable, history: FakeHistory
) -> None:
    _, asked = ask("POST", "/models/transition", {"model_name": MODEL, "version": 1, "stage": "Staging"})
    recorded = transitions.get(MODEL, asked["transition_id"])
    transitions.note(
        recorded,
        status=TransitionStatus.AWAITING_APPROVAL,
        binding=Binding("a" * 64, "b" * 64, 1),
        approvals_needed=1,
        waiting_since=recorded.created_at.replace("Z", "+00:00"),
        comparison=compared({"params": {"depth": "3"}}, version(1), {"params": {"depth": "2"}}, version(2)),
    )
    status, waiting = ask("GET", f"/models/transitions/{asked['transition_id']}")
    assert status == 200
    assert (waiting["status"], waiting["approvals_needed"]) == ("awaiting_approval", 1)
    assert waiting["comparison"]["params"] == [{"name": "depth", "before": "2", "now": "3"}]
    status, problem = ask("POST", f"/models/transitions/{asked['transition_id']}/approve", {})
    assert (status, "somebody else has to decide" in problem["detail"]) == (403, True)
    AccessKeys.from_environment().add("boss", "bea", "approve", owner="bea")
    route = f"/models/transitions/{asked['transition_id']}/approve"
    event = gateway.api_event("POST", route, json.dumps({"comment": "fine"}), key="boss")
    answer = app.handler(event, gateway.CONTEXT)
    assert answer["statusCode"] == 202
    approved = json.loads(answer["body"])
    assert (approved["status"], approved["decisions"][0]["comment"]) == ("queued", "fine")
    assert "key_id" not in approved["decisions"][0]


def version(number: int) -> Version:
    return Version(MODEL, number, "", "", {}, "None", "")


def test_a_caller_who_waits_gets_an_answer_before_the_function_ends(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracking server that had to start took most of the function's time: less is left than the caller would wait."""
    left = SimpleNamespace(**{**vars(gateway.CONTEXT), "get_remaining_time_in_millis": lambda: 3500})
    monkeypatch.setattr(gateway, "CONTEXT", left)
    started = time.monotonic()
    wish = {"model_name": MODEL, "version": 1, "stage": "Staging", "reason": "test"}
    status, answer = ask("POST", "/models/transition", wish, wait="20")
    assert (status, answer["status"]) == (202, "queued")
    assert time.monotonic() - started < 3
