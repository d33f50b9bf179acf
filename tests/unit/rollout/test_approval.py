"""Rollouts that somebody else has to approve: on moto's tables, queue and bucket, with promotion as it is."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest

from mlops.api.schemas.rollouts import RolloutRequest
from mlops.domain.access import Caller
from mlops.domain.errors import Conflict, Forbidden, NotFound
from mlops.domain.model_settings import ModelSettings, StoredSettings
from mlops.domain.rollout.rollout import Rollout, RolloutStatus
from mlops.domain.stages import Stage
from mlops.domain.transition import Transition, TransitionStatus, new_transition_id
from mlops.registry.rest import RegisteredModel
from promotion.dependencies import Dependencies
from promotion.examination import examine
from promotion.gate import GateSettings
from promotion.promoter import Promoter
from promotion.serving_store import ServingStore
from reconcile.lost_messages import LostMessages, ResendSettings
from tests.support.crashes import Crash, Watched
from tests.support.serving import served
from tests.unit.registry.fakes import FakeArchiveTags, FakeConversions, FakeLabels, FakeTracking
from tests.unit.rollout.conftest import ADA, MODEL, World

BOB = Caller("bob", "approve", owner="bob", key_id="key-of-bob")
EVE = Caller("eve", "admin", owner="eve", key_id="key-of-eve")
PLAN = {"version": 2, "steps": [{"weight": 25, "minutes": 10}], "shadow_minutes": 0}


class Tracking(FakeTracking):
    """MLflow's registry with the model, whose versions 1 and 2 are alike."""

    def __init__(self, world: World) -> None:
        super().__init__(world.effects)
        self._bucket = world.bucket
        for stage in (Stage.PRODUCTION, Stage.STAGING, Stage.STAGING):
            number = self.add_version()
            self.tags[number] |= {"stage": stage, "dataset_digest": "d"}
            self.metrics[number] = {"accuracy": 0.9}
            data = served(number).onnx
            world.s3.put_object(Bucket=world.bucket, Key=f"mlflow/{number}/model.onnx", Body=data)
        self.aliases = {"production": 1, "staging": 2}
        for key, body in served(1, image=None).objects().items():  # as the gate describes it
            world.s3.put_object(Bucket=world.bucket, Key=key, Body=body)

    def model(self, name: str) -> RegisteredModel:
        return RegisteredModel(name, dict(self.aliases))

    def artifact_uri(self, name: str, version: int) -> str:
        return f"s3://{self._bucket}/mlflow/{version}"


class Office:
    """A model that has approvals, the functions rollout and promotion, and the people who decide."""

    def __init__(self, world: World, approvals: int = 1) -> None:
        self.world, self.tracking = world, Tracking(world)
        serving = ServingStore(world.bucket)
        serving._s3 = Watched(serving._s3, world.effects)
        self.labels = FakeLabels()
        dependencies: Any = Dependencies(
            self.tracking,  # type: ignore[arg-type]
            world.transitions,
            serving,
            FakeArchiveTags(world.effects),  # type: ignore[arg-type]
            GateSettings(max_latency_ms=1e6),
            FakeConversions(world.effects),  # type: ignore[arg-type]
            world.open,
            world.history,
            self.labels,  # type: ignore[arg-type]
            examine,
        )
        self.promoter = Promoter(dependencies, world.events)
        self.sqs = boto3.client("sqs")
        self.set(approvals={"Production": approvals})

    def set(self, **values: Any) -> None:
        """Change the model's settings."""
        version = self.world.history.settings(MODEL).version + 1
        settings = ModelSettings.model_validate(values, strict=False)
        self.world.history.change_settings(MODEL, StoredSettings(version, settings, "eve", "eve", "now", "audit"))

    def ask(self, **changes: Any) -> Rollout:
        """Ask as ada, and let promotion look at it."""
        request = RolloutRequest.model_validate({**PLAN, **changes})
        rollout = self.world.requests.start(MODEL, request, ADA, "request-1")
        self.deliver()
        return self.world.get(rollout)

    def decide(self, rollout: Rollout, caller: Caller = BOB, approved: bool = True, comment: str | None = None) -> None:
        self.world.requests.decide(MODEL, rollout.rollout_id, caller, approved=approved, comment=comment)

    def approve(self, rollout: Rollout, caller: Caller = BOB) -> Rollout:
        """Approve, let promotion go on, and look a minute later."""
        self.decide(rollout, caller)
        return self.minute(rollout)

    def minute(self, rollout: Rollout) -> Rollout:
        """Let promotion have its messages, and the function rollout look."""
        self.deliver()
        self.world.minutes(1)
        self.world.conductor.run()
        self.deliver()
        return self.world.get(rollout)

    def deliver(self) -> None:
        while messages := self.sqs.receive_message(QueueUrl=self.world.queue._url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                self.promoter.handle(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.world.queue._url, ReceiptHandle=message["ReceiptHandle"])

    def transition(self, rollout: Rollout) -> Transition:
        return self.world.transitions.get(MODEL, str(rollout.transition_id))

    def told(self, kind: str) -> list[str]:
        """Return the rollouts of which events of a type were sent."""
        return [str(event.data["rollout_id"]) for event in self.world.bus.told if event.type == kind]

    def chain(self) -> list[str]:
        """Return the ids of the model's entries about decisions, rollouts and transitions, of a chain that is whole."""
        entries, _, problem = self.world.history.examined(MODEL)
        assert problem is None
        documents = [entry.document for entry in entries]
        return [each["id"] for each in documents if each["kind"] in ("approval", "rollout", "transition")]

    def move(self, version: int, stage: Stage = Stage.PRODUCTION, *, force: bool = True) -> Transition:
        """Ask for another transition, as eve, and let promotion have it."""
        asked = Transition(
            new_transition_id(), MODEL, version, stage, "eve", force=force, actor_owner="eve", actor_key="key-of-eve"
        )
        self.world.transitions.create(asked)
        self.promoter.handle({"kind": "transition", "transition_id": asked.transition_id, "model_name": MODEL})
        return self.world.transitions.get(MODEL, asked.transition_id)


@pytest.fixture
def office(world: World) -> Office:
    return Office(world)


def status(rollout: Rollout) -> str:
    return str(rollout.status)


def test_it_waits_and_the_challenger_serves_nobody_until_somebody_else_approves_it(office: Office) -> None:
    rollout = office.ask()
    waiting = office.minute(rollout)
    assert (waiting.status, waiting.weight) == (RolloutStatus.AWAITING_APPROVAL, 0.0)
    assert waiting.note == f"the transition {waiting.transition_id} waits for an approval"
    keys = {each["Key"] for each in office.world.s3.list_objects_v2(Bucket=office.world.bucket)["Contents"]}
    assert not [key for key in keys if "Rollout.json" in key or "Canary.json" in key]
    assert (office.told("approval.requested"), office.told("rollout.started")) == ([rollout.rollout_id], [])
    started = office.approve(rollout)
    assert (started.status, started.weight) == (RolloutStatus.RUNNING, 25.0)
    assert (office.world.live().id, office.world.live().version) == (rollout.rollout_id, 2)
    assert office.told("rollout.started") == [rollout.rollout_id]
    assert office.transition(started).status is TransitionStatus.AWAITING_ROLLOUT
    assert office.tracking.aliases == {"production": 1, "staging": 2}, "its last step comes later"


def test_the_approver_sees_what_the_approver_of_a_transition_sees(office: Office) -> None:
    office.tracking.metrics[2] = {"accuracy": 0.95}
    rollout = office.ask()
    shown = office.world.requests.approval(rollout)
    assert shown is not None
    assert {gate.check for gate in shown.gates} >= {"size", "sha256", "serves", "proof", "signature", "metric"}
    assert shown.comparison is not None
    assert (shown.comparison["metrics"], shown.comparison["replaced_metrics"]) == (
        {"accuracy": "0.95"},
        {"accuracy": "0.9"},
    )
    assert (shown.approvals_needed, shown.rollout_id, shown.actor_owner) == (1, rollout.rollout_id, "lovelace")
    (asked, detail), *_ = office.world.entries()
    assert (asked, detail["plan"]["steps"][0]["weight"], detail["reason"]) == ("awaiting_approval", 25, None)


def test_one_approval_takes_it_to_production(office: Office) -> None:
    rollout = office.approve(office.ask())
    office.world.requests.complete(MODEL, rollout.rollout_id)
    ended = office.minute(rollout)
    assert (ended.status, ended.transition_id) == (RolloutStatus.SUCCEEDED, rollout.transition_id)
    assert office.tracking.aliases == {"production": 2}
    moved = office.transition(rollout)
    assert (moved.status, [each.owner for each in moved.decisions]) == (TransitionStatus.SUCCEEDED, ["bob"])
    assert office.told("approval.requested") == [rollout.rollout_id], "nobody is asked twice"
    ro, tr = rollout.rollout_id, str(rollout.transition_id)
    kinds = [each.partition("#")[0] + each.partition("#")[2][:7] for each in office.chain()]
    assert kinds == [f"{ro}asked", f"{tr}key-of-", f"{ro}started", tr, f"{ro}ended"]
    assert office.world.transitions.still_open() == []


@pytest.mark.parametrize(
    "caller",
    [
        ADA,
        Caller("other", "admin", owner="lovelace", key_id="another"),
        Caller("other", "admin", owner="other", key_id="key-1"),
        Caller("train", "train", owner="train", key_id="t"),
        Caller("foreign", "admin", ("churn*",), owner="f", key_id="f"),
    ],
    ids=["who asked", "same owner", "same key", "role", "model"],
)
@pytest.mark.parametrize("approved", [True, False])
def test_others_may_not_decide(office: Office, caller: Caller, approved: bool) -> None:
    rollout = office.ask()
    with pytest.raises(Forbidden):
        office.decide(rollout, caller, approved)
    assert office.transition(rollout).decisions == ()
    assert office.minute(rollout).status is RolloutStatus.AWAITING_APPROVAL


def test_two_approvals_are_of_two_owners(world: World) -> None:
    office = Office(world, approvals=2)
    rollout = office.ask()
    assert office.approve(rollout).status is RolloutStatus.AWAITING_APPROVAL
    with pytest.raises(Forbidden, match="decided already"):
        office.decide(rollout, BOB)
    assert office.approve(rollout, EVE).status is RolloutStatus.RUNNING


def test_it_is_approved_once(office: Office) -> None:
    rollout = office.ask()
    office.decide(rollout)
    with pytest.raises(Conflict, match="only what waits"):
        office.decide(rollout, EVE)
    started = office.minute(rollout)
    with pytest.raises(Conflict, match="only what waits"):
        office.decide(started, EVE, approved=False)
    assert office.world.get(rollout).status is RolloutStatus.RUNNING


def test_before_the_gates_have_looked_nobody_can_approve_it(office: Office) -> None:
    request = RolloutRequest.model_validate(PLAN)
    rollout = office.world.requests.start(MODEL, request, ADA, "request-1")
    with pytest.raises(Conflict, match="the gates come first"):
        office.decide(rollout)


def test_one_that_needs_no_approval_cannot_be_approved(office: Office) -> None:
    office.set()
    rollout = office.ask()
    assert rollout.status is RolloutStatus.RUNNING
    with pytest.raises(Conflict, match="is running, and nothing of it waits"):
        office.decide(rollout)


def test_a_rejected_one_ends_and_says_why(office: Office) -> None:
    rollout = office.ask()
    office.decide(rollout, approved=False, comment="not on a Friday")
    ended = office.minute(rollout)
    assert (ended.status, ended.note) == (
        RolloutStatus.REJECTED,
        "it did not begin: Rejected by bob (bob): not on a Friday",
    )
    assert (office.told("rollout.rejected"), office.told("rollout.started")) == ([rollout.rollout_id], [])
    assert [told for told, _ in office.world.entries()] == ["awaiting_approval", "rejected"]
    assert office.ask().status is RolloutStatus.AWAITING_APPROVAL, "the model can have another one"


def test_a_version_that_the_gate_refuses_is_not_shown_to_anybody(office: Office) -> None:
    office.tracking.metrics[2] = {"accuracy": 0.5}
    ended = office.minute(office.ask())
    assert ended.status is RolloutStatus.REJECTED
    assert "accuracy 0.5000" in str(ended.note)
    assert office.told("approval.requested") == []


def test_after_a_week_it_is_rejected(office: Office) -> None:
    rollout = office.ask()
    waiting = office.transition(rollout)
    since = (datetime.fromisoformat(str(waiting.waiting_since)) - timedelta(days=7, seconds=1)).isoformat()
    office.world.transitions.note(waiting, waiting_since=since, announced_waiting=since)
    with pytest.raises(Conflict, match="request it again"):
        office.decide(rollout)
    LostMessages(ResendSettings(), office.world.transitions, office.world.queue).look()
    ended = office.minute(rollout)
    assert ended.status is RolloutStatus.REJECTED
    assert "Nobody has decided" in str(ended.note)
    assert [told for told, _ in office.world.entries()] == ["awaiting_approval", "rejected"]
    with pytest.raises(Conflict, match="is rejected"):
        office.decide(rollout)


def other_settings(office: Office) -> None:
    office.set(approvals={"Production": 1}, gate={"max_latency_ms": 1000.0})


@pytest.mark.parametrize("when", ["before it is approved", "before promotion looks", "before it begins"])
def test_an_approval_under_other_settings_is_void(office: Office, when: str) -> None:
    rollout = office.ask()
    if when == "before it is approved":
        other_settings(office)
    office.decide(rollout)
    if when == "before promotion looks":
        other_settings(office)
    office.deliver()
    if when == "before it begins":
        assert office.transition(rollout).status is TransitionStatus.AWAITING_ROLLOUT
        other_settings(office)
    waiting = office.minute(rollout)
    assert waiting.status is RolloutStatus.AWAITING_APPROVAL
    assert office.world.live() is None
    transition = office.transition(rollout)
    assert (transition.decisions, transition.void) == ((), "the model's settings changed after the approval")
    assert office.told("approval.requested") == [rollout.rollout_id] * 2
    assert office.approve(rollout).status is RolloutStatus.RUNNING


def test_settings_that_change_while_it_runs_have_its_last_step_approved_again(office: Office) -> None:
    rollout = office.approve(office.ask())
    other_settings(office)
    assert office.minute(rollout).status is RolloutStatus.RUNNING
    office.world.requests.complete(MODEL, rollout.rollout_id)
    waiting = office.minute(rollout)
    assert (waiting.status, office.tracking.aliases["production"]) == (RolloutStatus.PROMOTING, 1)
    assert office.transition(rollout).void == "the model's settings changed after the approval"
    office.minute(rollout)
    assert "waits for an approval" in str(office.world.get(rollout).note)
    with pytest.raises(Forbidden):
        office.decide(rollout, ADA)
    assert office.approve(rollout).status is RolloutStatus.SUCCEEDED
    assert office.tracking.aliases == {"production": 2}


def test_settings_that_ask_for_nothing_any_more_let_it_begin(office: Office) -> None:
    rollout = office.ask()
    office.set()
    assert office.approve(rollout).status is RolloutStatus.RUNNING


def test_an_abort_does_not_wait_and_nobody_can_approve_it_any_more(office: Office) -> None:
    rollout = office.ask()
    aborted = office.world.requests.abort(MODEL, rollout.rollout_id, "not now", "bob")
    assert (status(aborted), aborted.note) == ("aborted", "aborted by bob: not now")
    with pytest.raises(Conflict, match="is aborted"):
        office.decide(rollout)
    second = office.ask()
    assert second.status is RolloutStatus.AWAITING_APPROVAL
    office.minute(rollout)
    office.minute(rollout)
    ended = office.transition(rollout)
    assert ended.status is TransitionStatus.REJECTED
    assert "has ended before its last step: aborted by bob: not now" in str(ended.error)
    assert office.told("rollout.aborted") == [rollout.rollout_id]
    assert office.approve(second).status is RolloutStatus.RUNNING


@pytest.mark.parametrize("approve", [True, False])
def test_who_approves_its_transition_after_the_abort_moves_nothing(office: Office, approve: bool) -> None:
    """The abort is recorded, and promotion has not ended the transition yet."""
    rollout = office.ask()
    office.world.requests.abort(MODEL, rollout.rollout_id, None, "bob")
    office.world.decisions.decide(office.transition(rollout), BOB, approved=approve, comment=None)
    office.minute(rollout)
    assert office.transition(rollout).status is TransitionStatus.REJECTED
    assert office.tracking.aliases["production"] == 1
    assert office.minute(rollout).status is RolloutStatus.ABORTED


@pytest.mark.parametrize("approved", [True, False])
def test_a_transition_that_is_asked_for_meanwhile_ends_it(office: Office, approved: bool) -> None:
    rollout = office.ask()
    if approved:
        rollout = office.approve(rollout)
    other = office.move(3)
    assert other.status is TransitionStatus.AWAITING_APPROVAL
    office.world.decisions.decide(other, BOB, approved=True, comment=None)
    office.deliver()
    office.minute(rollout)
    ended = office.minute(rollout)
    assert ended.status is RolloutStatus.ABORTED
    assert f"version 3 goes to Production by {other.transition_id}" in str(ended.note)
    assert office.transition(rollout).status is TransitionStatus.REJECTED
    assert office.tracking.aliases["production"] == 3
    assert office.chain()[-1] == f"{rollout.rollout_id}#ended"
    assert office.world.transitions.still_open() == []


def test_of_two_that_are_asked_for_at_once_one_waits(office: Office) -> None:
    rollout = office.ask()
    with pytest.raises(Conflict, match="has a rollout under way"):
        office.ask()
    assert [each.rollout_id for each in office.world.table.all_open()] == [rollout.rollout_id]
    assert len(office.world.transitions.all_of(MODEL)) == 1


def test_a_guardrail_ends_an_approved_one_at_once(office: Office) -> None:
    rollout = office.approve(office.ask())
    office.world.count(rollout, requests=100, canary=50, asked=100, failed=60)
    office.world.conductor.run()
    assert (office.world.get(rollout).status, office.world.live()) == (RolloutStatus.ROLLED_BACK, None)
    office.minute(rollout)
    office.minute(rollout)
    assert office.transition(rollout).status is TransitionStatus.REJECTED
    assert office.told("rollout.rolled_back") == [rollout.rollout_id]


def test_a_version_that_has_left_staging_does_not_begin(office: Office) -> None:
    rollout = office.ask()
    office.world.serve(3, "Staging")
    ended = office.approve(rollout)
    assert ended.status is RolloutStatus.ABORTED
    assert "not in Staging any more" in str(ended.note)
    assert office.world.live() is None


def test_the_messages_of_one_that_is_approved_are_not_sent_again_and_again(office: Office) -> None:
    rollout = office.approve(office.ask())
    lost = LostMessages(ResendSettings(resend_seconds=0), office.world.transitions, office.world.queue)
    assert lost.look() == []
    office.world.requests.complete(MODEL, rollout.rollout_id)
    assert len(lost.look()) == 1, "it is the last step's turn"


def approved_and_completed(office: Office, rollout: Rollout) -> None:
    if rollout.status is RolloutStatus.RUNNING:
        office.world.requests.complete(MODEL, rollout.rollout_id)
    elif rollout.status is RolloutStatus.AWAITING_APPROVAL and not office.transition(rollout).decisions:
        office.decide(rollout)


def rejected(office: Office, rollout: Rollout) -> None:
    if rollout.status is RolloutStatus.AWAITING_APPROVAL and not office.transition(rollout).decisions:
        office.decide(rollout, approved=False)


def aborted(office: Office, rollout: Rollout) -> None:
    if not rollout.status.has_ended:
        office.world.requests.abort(MODEL, rollout.rollout_id, None, "bob")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("people", "end", "entries"),
    [
        (approved_and_completed, "succeeded", ["asked", "started", "ended"]),
        (rejected, "rejected", ["asked", "ended"]),
        (aborted, "aborted", ["asked", "ended"]),
    ],
)
def test_the_process_dies_after_each_change(
    aws: None, people: Callable[[Office, Rollout], None], end: str, entries: list[str]
) -> None:
    """Whatever was done when it died, the next minute and the next delivery bring it to the same end."""

    def walk(fatal: int | None) -> int:
        world = World()
        office = Office(world)
        world.effects.begin(fatal)
        for _ in range(30):
            try:
                rollout = world.table.open_of(MODEL)
                if rollout is None and not world.table.page(MODEL, 1, None).rollouts:
                    office.ask()
                    continue
                if rollout is not None:
                    with suppress(NotFound, Conflict):  # its transition is not there yet, or the gates come first
                        people(office, rollout)
                LostMessages(ResendSettings(resend_seconds=0), world.transitions, world.queue).look()
                office.minute(world.table.page(MODEL, 1, None).rollouts[0])
            except Crash:
                world.effects.fatal = None
            if not world.table.all_open() and world.table.page(MODEL, 1, None).rollouts:
                break
        (rollout,) = world.table.page(MODEL, 9, None).rollouts
        assert (status(rollout), world.table.all_open(), world.live()) == (end, [], None)
        assert world.transitions.still_open() == []
        ids = [each for each in office.chain() if each.startswith(rollout.rollout_id)]
        ended_before_it_was_told = end == "aborted" and fatal == 1
        told = entries[-1:] if ended_before_it_was_told else entries
        assert ids == [f"{rollout.rollout_id}#{each}" for each in told]
        assert office.tracking.aliases["production"] == (2 if end == "succeeded" else 1)
        assert len(world.transitions.all_of(MODEL)) <= 1
        return world.effects.count

    changes = walk(None)
    assert changes > 10
    for fatal in range(1, changes + 1):
        walk(fatal)
