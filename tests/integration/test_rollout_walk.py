"""Every step of a rollout on the real PostgreSQL, MLflow, DynamoDB, S3 and SQS, each time with another crash.

From its start through the shadow, the canary, Production and the days of labels back to the version before. Whatever
change is the last thing that a process does, the next minute and the next delivery bring it to the same end.
"""

import contextlib
import itertools
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest

from mlops.api.schemas.rollouts import RolloutRequest
from mlops.aws.decisions import Decisions
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.eventbridge import Events
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.label_place import LabelPlace
from mlops.aws.model_history import ModelHistory
from mlops.aws.open_rollouts import OpenRollouts
from mlops.aws.promotion_queue import PromotionQueue
from mlops.aws.rollout_files import RolloutFiles
from mlops.aws.rollouts_table import RolloutsTable
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.stats_table import Marker, PredictionStats, hour_of
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.access import Caller
from mlops.domain.errors import Conflict
from mlops.domain.feedback.kept_answers import KeptAnswers, OtherAnswers
from mlops.domain.feedback.prediction_id import Mint
from mlops.domain.rollout.rollout import Rollout, RolloutStatus
from mlops.domain.transition import TransitionStatus
from reconcile.lost_messages import LostMessages, ResendSettings
from rollout.conductor import Conductor
from rollout.rollout_requests import RolloutRequests
from tests.integration.registry_world import WatchedRollouts, World, make_world
from tests.support.crashes import Crash, Watched
from tests.support.tables import make_table
from tests.unit.rollout.conftest import WatchedTable

PLAN = {
    "version": 2,
    "steps": [{"weight": 5, "minutes": 1}, {"weight": 50, "minutes": 1}],
    "shadow_minutes": 1,
    "guardrails": {"min_accuracy_delta": -0.01},
    "bake_days": 3,
}
FINE = {"requests": 400, "canary": 200, "asked": 400, "pairs": 400}


class Walk:
    """A model with a champion and a challenger, and functions whose every change can be their last."""

    def __init__(self, world: World, queue_url: str, rollouts: str, stats: str, feedback: str) -> None:
        self.world, self.now, self._counted = world, time.time(), 0
        self._queue_url, self._sqs = queue_url, boto3.client("sqs")
        self.queue = PromotionQueue(queue_url)
        resource = boto3.resource("dynamodb")
        self.table = RolloutsTable(WatchedTable(resource.Table(rollouts), world.effects))
        self.stats = PredictionStats(WatchedTable(resource.Table(stats), world.effects))
        self.feedback = FeedbackTable(WatchedTable(resource.Table(feedback), world.effects))
        self.transitions = TransitionsTable(WatchedTable(resource.Table(world.transitions._table.name), world.effects))
        self.requests = self._requests()

    def _requests(self) -> RolloutRequests:
        files, queue, events = RolloutFiles(self.world.bucket), PromotionQueue(self._queue_url), Events("default")
        for each, name in ((files, "_s3"), (queue, "_sqs"), (events, "_events")):
            setattr(each, name, Watched(getattr(each, name), self.world.effects))
        served, history = ServedModels(self.world.bucket), ModelHistory(self.world.governance, self.transitions)
        self.conductor = Conductor(
            self.table,
            files,
            served,
            self.stats,
            self.transitions,
            queue,
            history,
            events,
            self.feedback.totals,
            lambda: self.now,
        )
        ends = OpenRollouts(self.table, files)
        decisions = Decisions(self.transitions, history, queue)
        return RolloutRequests(
            self.table, ends, served, self.world.governance, self.conductor, self.transitions, decisions
        )

    def look(self) -> None:
        """A minute goes by, and the function looks."""
        self.now += 61
        self.conductor.run()

    def deliver(self) -> None:
        """Let promotion have what lies in the queue; what it does not finish is delivered again."""
        answer = self._sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            self.world.promoter().handle(json.loads(message["Body"]))
            self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])

    def resend(self) -> None:
        """As reconcile does: send what the dead process had only recorded."""
        LostMessages(ResendSettings(resend_seconds=0), self.world.transitions, self.queue).look()

    def count(self, rollout: Rollout) -> None:
        self._counted += 1
        marker = Marker(f"{rollout.rollout_id} {self._counted}")
        assert self.stats.add([marker], {}, {}, None, {(rollout.rollout_id, rollout.phase): FINE})

    def label(self, rollout: Rollout) -> None:
        """Labels come of 60 rows that only the champion has answered right."""
        at = LabelPlace(rollout.model_name, Mint().make(1.0).text, 0, time.time())
        other = OtherAnswers(rollout.rollout_id, rollout.phase, False, (0,) * 60)
        answers = KeptAnswers(1, "Production", hour_of(at.made), ((0.1, 0.9),) * 60, ("no", "yes"), other=other)
        self.feedback.keep({at: answers})
        places = [replace(at, row=row) for row in range(60)]
        assert len(self.feedback.give_new(dict.fromkeys(places, "yes"), dict.fromkeys(places), "test")) == 60

    def rollout(self) -> Rollout:
        (newest, *_) = self.requests.page(self.world.model, 1, None).rollouts
        return newest

    def check(self) -> None:
        """There is one Production, and everything says which."""
        state = self.world.state()
        holder = state["aliases"]["production"]
        assert state["manifests"]["Production"] == holder
        assert [version for version, stage in state["tags"].items() if stage == "Production"] == [holder]
        assert [version for version, stage in state["mlflow"].items() if stage == "Production"] == [holder]


@pytest.fixture
def walk(stack: Any, monkeypatch: pytest.MonkeyPatch) -> Walk:
    """A new model, with tables and a queue that no deployed function looks at."""
    made = make_world(stack, monkeypatch, f"rollout-walk-{uuid.uuid4().hex[:6]}")
    names = {each: f"walk-{each}-{uuid.uuid4().hex[:6]}" for each in ("Rollouts", "PredictionStats", "Feedback")}
    for each, name in names.items():
        make_table(f"{each}Table", name)
    made.rollouts = WatchedRollouts(DynamoTable(boto3.resource("dynamodb").Table(names["Rollouts"])), made.effects)
    made.governance = GovernanceTable(WatchedTable(made.governance._table._table, made.effects))
    attributes = {"FifoQueue": "true", "VisibilityTimeout": "0"}
    queue = boto3.client("sqs").create_queue(QueueName=f"{made.model}.fifo", Attributes=attributes)["QueueUrl"]
    return Walk(made, queue, names["Rollouts"], names["PredictionStats"], names["Feedback"])


def steps_of(walk: Walk) -> list[tuple[Callable[[], Any], Callable[[Rollout], bool]]]:
    """What happens in each step, which can be done again, and how its end shows in the record."""
    request = RolloutRequest.model_validate(PLAN)

    def start() -> None:
        with contextlib.suppress(Conflict):  # the dead process has recorded it
            walk.requests.start(walk.world.model, request, Caller("ada", "approve"), "request")
        walk.conductor.run()

    def promoted() -> None:
        walk.resend()
        walk.deliver()
        walk.look()

    return [
        (start, lambda rollout: rollout.status is RolloutStatus.RUNNING),
        (walk.look, lambda rollout: rollout.phase == 1),
        (walk.look, lambda rollout: rollout.phase == 2),
        (walk.look, lambda rollout: rollout.status is RolloutStatus.PROMOTING),
        (promoted, lambda rollout: rollout.status is RolloutStatus.BAKING),
        (walk.look, lambda rollout: rollout.status is RolloutStatus.RETURNING),
        (promoted, lambda rollout: rollout.status is RolloutStatus.ROLLED_BACK),
    ]


def whole(walk: Walk, fatal: int) -> bool:
    """Take a rollout through all steps, and die after the change of this number; whether there were so many."""
    died, done = False, 0
    effects = walk.world.effects
    for number, (act, has_ended) in enumerate(steps_of(walk)):
        if number in (1, 2, 3):
            walk.count(walk.rollout())
        elif number == 5:
            walk.label(walk.rollout())
        effects.begin(None if died else fatal - done)
        for _ in range(4):
            try:
                act()
            except Crash:
                died, effects.fatal = True, None
                continue
            if has_ended(walk.rollout()):
                break
        else:
            raise AssertionError(f"step {number} does not end: {walk.rollout()}")
        done, effects.fatal = done + effects.count, None
        walk.check()
    return died


@pytest.mark.slow
def test_a_crash_after_each_change_of_each_step_converges(walk: Walk) -> None:
    world = walk.world
    first, second = world.version(), world.version()
    world.move(first, "Production")
    for fatal in itertools.count(1):
        world.move(second, "Staging")
        died = whole(walk, fatal)
        rollout = walk.rollout()
        for transition_id in (rollout.transition_id, rollout.rollback_id):
            assert walk.transitions.get(world.model, str(transition_id)).status is TransitionStatus.SUCCEEDED
        assert (world.state()["aliases"], RolloutFiles(world.bucket).read(world.model)) == ({"production": first}, None)
        assert world.agrees()
        assert (walk.table.open_of(world.model), walk.table.all_open()) == (None, [])
        entries, _, problem = ModelHistory(world.governance, world.transitions).examined(world.model)
        assert problem is None
        told = [each.document["detail"] for each in entries if each.document["kind"] == "rollout"]
        mine = [each["status"] for each in told if each["rollout_id"] == rollout.rollout_id]
        assert mine == ["starting", "rolled_back"]
        assert len(walk.requests.page(world.model, 100, None).rollouts) == fatal
        if not died:
            break
    assert fatal > 40, "the walk was not whole"
