"""Transitions that somebody else has to approve: on moto's tables and queue, with promotion as it is."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from mlops.aws.decisions import Decisions
from mlops.aws.promotion_queue import PromotionQueue
from mlops.domain.access import Caller
from mlops.domain.errors import Conflict, Forbidden
from mlops.domain.transition import Transition, TransitionStatus
from mlops.registry.rest import Version
from promotion.consent import compared
from reconcile.lost_messages import LostMessages, ResendSettings
from tests.support.crashes import Crash
from tests.support.tables import make_table
from tests.unit.registry.fakes import MODEL, World

ANN = Caller("ann", "approve", owner="ann", key_id="key-of-ann")
BOB = Caller("bob", "approve", owner="bob", key_id="key-of-bob")
EVE = Caller("eve", "admin", owner="eve", key_id="key-of-eve")


class Office:
    """A model that has approvals, what promotion does with it, and the people who decide."""

    def __init__(self, world: World, queue: PromotionQueue) -> None:
        self.world = world
        history: Any = world.history
        transitions: Any = world.transitions
        self.queue, self.decisions = queue, Decisions(transitions, history, queue)

    def state(self, message: dict[str, Any]) -> Transition:
        return self.world.transitions.get(MODEL, message["transition_id"])

    def ask(self, version: int, stage: str = "Production", force: bool = False) -> dict[str, Any]:
        """Ask as ann, and let promotion look at it."""
        message = self.world.ask(version, stage, force, owner="ann")
        self.world.deliver(message)
        return message

    def decide(
        self, message: dict[str, Any], caller: Caller, approved: bool = True, comment: str | None = None
    ) -> None:
        self.decisions.decide(self.state(message), caller, approved=approved, comment=comment)

    def approve(self, message: dict[str, Any], caller: Caller = BOB) -> Transition:
        """Approve, and let promotion go on."""
        self.decide(message, caller)
        self.world.deliver(message)
        return self.state(message)


@pytest.fixture
def office(aws: None) -> Office:
    world = World(table=make_table("TransitionsTable", "transitions"))
    world.history.set(approvals={"Production": 1}, owners=["team-m"])
    url = boto3.client("sqs").create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    return Office(world, PromotionQueue(url))


def test_a_transition_waits_until_somebody_else_approves_it(office: Office) -> None:
    message = office.ask(1)
    waiting = office.state(message)
    assert (waiting.status, waiting.approvals_needed) == (TransitionStatus.AWAITING_APPROVAL, 1)
    assert {gate.check for gate in waiting.gates} >= {"size", "sha256", "serves", "metric"}
    assert office.world.events.waiting == [(message["transition_id"], ["team-m"])]
    assert office.world.tracking.aliases == {}
    assert office.world.serving.files == {}, "nothing is published before"
    moved = office.approve(message)
    assert moved.status is TransitionStatus.SUCCEEDED
    assert office.world.tracking.aliases == {"production": 1}
    (decision,) = moved.decisions
    assert (decision.approved, decision.name, decision.owner) == (True, "bob", "bob")
    kinds = [kind for kind, _ in office.world.history.entries.values()]
    assert kinds == ["approval", "transition"]
    outcome = office.world.history.entries[message["transition_id"]][1]
    assert [entry["name"] for entry in outcome["decisions"]] == ["bob"]
    office.world.check()


@pytest.mark.parametrize(
    "caller",
    [
        ANN,
        Caller("other", "admin", owner="ann", key_id="another"),
        Caller("other", "admin", owner="other", key_id="key-of-ann"),
        Caller("train", "train", owner="train", key_id="t"),
        Caller("foreign", "admin", ("churn*",), owner="f", key_id="f"),
    ],
    ids=["who asked", "same owner", "same key", "role", "model"],
)
@pytest.mark.parametrize("approved", [True, False])
def test_others_may_not_decide(office: Office, caller: Caller, approved: bool) -> None:
    message = office.ask(1)
    with pytest.raises(Forbidden):
        office.decide(message, caller, approved)
    assert office.state(message).decisions == ()


def test_who_asked_in_the_version_before_may_not_decide(office: Office) -> None:
    message = office.world.ask(1, "Production", force=False)
    office.world.deliver(message)
    for caller in (Caller("tester", "admin", owner="x", key_id="x"), Caller("x", "admin", owner="tester", key_id="x")):
        with pytest.raises(Forbidden):
            office.decide(message, caller)


def test_two_approvals_are_of_two_owners(office: Office) -> None:
    office.world.history.set(approvals={"Production": 2})
    message = office.ask(1)
    assert office.approve(message).status is TransitionStatus.AWAITING_APPROVAL
    for caller in (BOB, Caller("bob-2", "approve", owner="bob", key_id="bob-2")):
        with pytest.raises(Forbidden, match="decided already"):
            office.decide(message, caller)
    assert office.approve(message, EVE).status is TransitionStatus.SUCCEEDED


def test_a_rejected_transition_ends(office: Office) -> None:
    message = office.ask(1)
    office.decide(message, BOB, approved=False, comment="not on a Friday")
    office.world.deliver(message)
    rejected = office.state(message)
    assert (rejected.status, rejected.error) == (TransitionStatus.REJECTED, "Rejected by bob (bob): not on a Friday")
    assert office.world.tracking.aliases == {}
    with pytest.raises(Conflict, match="rejected"):
        office.decide(message, EVE)


def test_a_decision_counts_once(office: Office) -> None:
    """Two people decide at the same time: what the second one has seen is not what there is."""
    message = office.ask(1)
    seen = office.state(message)
    office.decide(message, BOB)
    transitions: Any = office.world.transitions
    from mlops.domain.approval import Decision

    assert transitions.decide(seen, Decision.of(EVE, False, None)) is None
    with pytest.raises(Conflict):
        office.decide(message, EVE)


def test_labels_that_come_after_an_approval_do_not_void_it(office: Office) -> None:
    office.world.history.set(approvals={"Production": 1}, gate={"min_live_accuracy": 0.6})
    office.world.labels.counted[MODEL, 1] = Counter(n=100, h=70)
    message = office.ask(1)
    assert "70.0% of 100 labels" in str(office.state(message).gates)
    office.world.labels.counted[MODEL, 1] = Counter(n=200, h=150)
    assert office.approve(message).status is TransitionStatus.SUCCEEDED
    assert "75.0% of 200 labels" in str(office.state(message).gates)


def change_settings(office: Office) -> None:
    office.world.history.set(approvals={"Production": 1}, gate={"max_latency_ms": 1000.0})


def promote_another(office: Office) -> None:
    assert office.approve(office.ask(2, force=True), EVE).status is TransitionStatus.SUCCEEDED


def rewrite_the_file(office: Office) -> None:
    from tests.support.serving import served

    other = served(features=4, image=None, classes=2, self_test=False, seed=9)
    office.world.serving.logged[1] = other.onnx


@pytest.mark.parametrize(
    ("change", "named", "before"),
    [
        (change_settings, "the model's settings", True),
        (change_settings, "the model's settings", False),
        (promote_another, "the version that would be replaced", True),
        (rewrite_the_file, "the version's file", True),
        (rewrite_the_file, "the version's file", False),
    ],
)
def test_an_approval_of_something_else_is_void(
    office: Office, change: Callable[[Office], None], named: str, before: bool
) -> None:
    """It changes before somebody approves what was shown, or between that and the move."""
    message = office.ask(1, force=True)
    if before:
        change(office)
    office.decide(message, BOB)
    if not before:
        change(office)
    aliases = dict(office.world.tracking.aliases)
    office.world.deliver(message)
    waiting = office.state(message)
    assert (waiting.status, waiting.decisions) == (TransitionStatus.AWAITING_APPROVAL, ())
    assert waiting.void is not None
    assert named in waiting.void
    assert office.world.tracking.aliases == aliases
    assert [told for told, _ in office.world.events.waiting].count(message["transition_id"]) == 2
    assert office.approve(message).status is TransitionStatus.SUCCEEDED, "it can be approved again"
    office.world.check()


def test_force_needs_approval_where_anything_does(office: Office) -> None:
    assert office.state(office.ask(1, "Staging")).status is TransitionStatus.SUCCEEDED
    assert office.state(office.ask(2, "Staging", force=True)).status is TransitionStatus.AWAITING_APPROVAL


def test_a_rollback_waits_only_if_nobody_has_approved_the_version(office: Office) -> None:
    office.world.history.set()
    office.ask(1)
    office.world.history.set(approvals={"Production": 1})
    office.approve(office.ask(2, force=True))
    office.approve(office.ask(3, force=True))
    assert office.state(office.ask(2, force=True)).status is TransitionStatus.SUCCEEDED
    assert office.world.tracking.aliases == {"production": 2}
    assert office.state(office.ask(1, force=True)).status is TransitionStatus.AWAITING_APPROVAL


def test_archiving_needs_no_approval(office: Office) -> None:
    office.approve(office.ask(1))
    assert office.state(office.ask(1, "Archived")).status is TransitionStatus.SUCCEEDED


def test_an_alias_that_was_moved_by_hand_is_put_back(office: Office) -> None:
    office.approve(office.ask(1))
    office.world.tracking.aliases["production"] = 2
    office.world.deliver(office.world.repair())
    assert office.world.tracking.aliases == {"production": 1}
    office.world.check()
    del office.world.serving.manifests[next(iter(office.world.serving.manifests))]
    office.world.deliver(office.world.repair())
    assert office.world.tracking.aliases == {"production": 1}, "what was in the stage before is served again"
    office.world.check()


def test_others_go_on_while_one_waits(office: Office) -> None:
    first = office.ask(1)
    assert office.state(office.ask(2, "Staging")).status is TransitionStatus.SUCCEEDED
    assert office.state(first).tries == 0, "it is not tried again with each message of the model"
    assert office.approve(first).status is TransitionStatus.SUCCEEDED


def test_a_refused_version_is_not_shown_to_anybody(office: Office) -> None:
    office.world.serving.broken.add(1)
    assert office.state(office.ask(1)).status is TransitionStatus.REJECTED
    assert office.world.events.waiting == []


def later(transition: Transition, **ago: float) -> str:
    return (datetime.fromisoformat(str(transition.waiting_since)) - timedelta(**ago)).isoformat()


def test_after_a_week_it_is_rejected(office: Office) -> None:
    message = office.ask(1)
    transitions: Any = office.world.transitions
    waiting = office.state(message)
    since = later(waiting, days=7, seconds=1)
    transitions.note(waiting, waiting_since=since, announced_waiting=since)
    with pytest.raises(Conflict, match="request it again"):
        office.decide(message, BOB)
    sent = LostMessages(ResendSettings(), transitions, office.queue).look()
    assert len(sent) == 1
    office.world.deliver(message)
    assert office.state(message).status is TransitionStatus.REJECTED
    assert "Nobody has decided" in str(office.state(message).error)


def test_messages_are_sent_again_only_if_something_is_left_to_do(office: Office) -> None:
    message = office.ask(1)
    transitions: Any = office.world.transitions
    lost = LostMessages(ResendSettings(resend_seconds=0), transitions, office.queue)
    assert lost.look() == [], "it waits for people"
    transitions.note(office.state(message), announced_waiting=None)
    assert len(lost.look()) == 1, "nobody was told"
    office.decide(message, BOB)
    old = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    transitions._table._table.update_item(
        Key={"model_name": MODEL, "transition_id": message["transition_id"]},
        UpdateExpression="SET created_at = :old",
        ExpressionAttributeValues={":old": old},
    )
    assert len(lost.look()) == 1, "it was approved days after it was requested, and its message may be lost"


def test_the_process_dies_after_each_change(aws: None) -> None:
    """Whatever was done when it died, the next delivery brings it to the same end, and the history has it once."""
    url = boto3.client("sqs").create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]

    def walk(fatal: int | None, number: int) -> Office:
        world = World(table=make_table("TransitionsTable", f"transitions-{number}"))
        world.history.set(approvals={"Production": 1})
        office = Office(world, PromotionQueue(url))
        message = world.ask(1, "Production", force=False, owner="ann")
        world.effects.fatal = None if fatal is None else world.effects.count + fatal
        world.deliver(message)
        assert office.state(message).status is TransitionStatus.AWAITING_APPROVAL
        try:
            office.decide(message, BOB)
        except Crash:
            if not office.state(message).decisions:
                office.decide(message, BOB)
        world.deliver(message)
        assert office.state(message).status is TransitionStatus.SUCCEEDED
        assert [kind for kind, _ in world.history.entries.values()].count("transition") == 1
        assert world.tracking.aliases == {"production": 1}
        world.check()
        return office

    changes = walk(None, 0).world.effects.count
    assert changes > 10
    for fatal in range(1, changes):
        walk(fatal, fatal)


def test_what_an_approver_is_shown_fits_a_record() -> None:
    """MLflow takes parameters of 6,000 characters, and own code may log thousands of them."""
    version = Version(MODEL, 2, "r2", "", {"dataset_digest": "d2"}, "None", "")
    before = Version(MODEL, 1, "r1", "", {"dataset_digest": "d1"}, "Production", "")
    params = {f"p{number:04d}" + "n" * 240: "v" * 6000 for number in range(3000)}
    metrics = {f"m{number}": 0.5 for number in range(3000)}
    seen = compared({"params": params, "metrics": metrics}, version, {"params": {"depth": "2"}}, before)
    assert (seen["params_changed"], len(seen["params"]), len(seen["metrics"])) == (3001, 100, 100)
    assert len(json.dumps(seen)) < 100_000
    assert (seen["replaced_version"], seen["dataset_digest"], seen["replaced_dataset_digest"]) == (1, "d2", "d1")
    assert {"name": "depth", "before": "2", "now": None} in seen["params"]
