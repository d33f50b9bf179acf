"""Fixtures: the function rollout over moto's S3, DynamoDB and SQS, with models in Production and in Staging."""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest

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
from mlops.domain.feedback.kept_answers import KeptAnswers, OtherAnswers
from mlops.domain.feedback.prediction_id import Mint
from mlops.domain.rollout.rollout import Rollout
from mlops.domain.webhooks.event import PlatformEvent, read_event
from rollout.conductor import Conductor
from rollout.rollout_requests import RolloutRequests
from tests.support.crashes import Effects, Watched
from tests.support.serving import served
from tests.support.tables import make_table

MODEL = "digit-classifier"
ADA = Caller("ada", "approve", owner="lovelace", key_id="key-1")


class WatchedTable(DynamoTable):
    """A table whose single and transactional writes are watched."""

    def __init__(self, table: Any, effects: Effects) -> None:
        super().__init__(Watched(table, effects))
        self._effects = effects

    def transact(self, writes: Any) -> None:
        super().transact(writes)
        self._effects.happened()


class Bus(Watched):
    """A bus whose events are kept as webhooks read them; while `away` it refuses them."""

    def __init__(self, effects: Effects) -> None:
        super().__init__(boto3.client("events"), effects)
        self.told: list[PlatformEvent] = []
        self.away = False

    def put_events(self, Entries: list[dict[str, str]]) -> dict[str, Any]:
        if self.away:
            return {"FailedEntryCount": len(Entries)}
        for entry in Entries:
            event = {"detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"]), "id": "e", "time": "t"}
            self.told.append(read_event(event))
        answer = self._inner.put_events(Entries=Entries)
        self._effects.happened("put_events")
        return dict(answer)


class World:
    """One model with version 1 in Production and version 2 in Staging, and what acts on its rollouts."""

    def __init__(self) -> None:
        self.effects, self.now = Effects(), time.time()
        self.bucket = f"artifacts-{uuid.uuid4().hex[:8]}"
        self.s3 = boto3.client("s3")
        self.s3.create_bucket(Bucket=self.bucket)
        queue = boto3.client("sqs").create_queue(
            QueueName=f"{uuid.uuid4().hex[:8]}.fifo", Attributes={"FifoQueue": "true", "VisibilityTimeout": "0"}
        )
        self.table = RolloutsTable(WatchedTable(make_table("RolloutsTable", f"r{uuid.uuid4().hex}"), self.effects))
        self.transitions = TransitionsTable(
            WatchedTable(make_table("TransitionsTable", f"t{uuid.uuid4().hex}"), self.effects)
        )
        self.stats = PredictionStats(DynamoTable(make_table("PredictionStatsTable", f"s{uuid.uuid4().hex}")))
        self.feedback = FeedbackTable(DynamoTable(make_table("FeedbackTable", f"f{uuid.uuid4().hex}")))
        self.files, self.served = RolloutFiles(self.bucket), ServedModels(self.bucket)
        self.files._s3 = Watched(self.files._s3, self.effects)
        self.queue = PromotionQueue(queue["QueueUrl"])
        self.queue._sqs = Watched(self.queue._sqs, self.effects)
        self.open = OpenRollouts(self.table, self.files)
        self.governance = GovernanceTable(
            WatchedTable(make_table("GovernanceTable", f"g{uuid.uuid4().hex}"), self.effects)
        )
        self.history, self.events = ModelHistory(self.governance, self.transitions), Events("default")
        self.bus = self.events._events = Bus(self.effects)
        self.conductor = Conductor(
            self.table,
            self.files,
            self.served,
            self.stats,
            self.transitions,
            self.queue,
            self.history,
            self.events,
            self.feedback.totals,
            lambda: self.now,
        )
        self.decisions = Decisions(self.transitions, self.history, self.queue)
        self.requests = RolloutRequests(
            self.table, self.open, self.served, self.governance, self.conductor, self.transitions, self.decisions
        )
        self.serve(1, "Production")
        self.serve(2, "Staging")
        self._counted = 0

    def serve(self, version: int, stage: str) -> None:
        model = served(version, stage=stage)
        for key, data in model.objects().items():
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)

    def count(self, rollout: Rollout, **counts: int) -> None:
        """Count requests, as prediction_log does."""
        self._counted += 1
        assert self.stats.add(
            [Marker(f"test {self._counted}")], {}, {}, None, {(rollout.rollout_id, rollout.phase): counts}
        )

    def label(self, rollout: Rollout, lost: int, won: int, both: int = 0) -> None:
        """Let labels come of rows that both versions have answered: only one of them right, or both."""
        right, wrong = (0.1, 0.9), (0.9, 0.1)
        label, place = "yes", 1
        kept = [(right, 1 - place)] * lost + [(wrong, place)] * won + [(right, place)] * both
        outputs, others = zip(*kept, strict=True)
        at = LabelPlace(MODEL, Mint().make(1.0).text, 0, time.time())
        other = OtherAnswers(rollout.rollout_id, rollout.phase, False, others)
        self.feedback.keep({at: KeptAnswers(1, "Production", hour_of(at.made), outputs, ("no", "yes"), other=other)})
        places = [replace(at, row=row) for row in range(len(kept))]
        given = self.feedback.give_new(dict.fromkeys(places, label), dict.fromkeys(places), "test")
        assert len(given) == len(kept)

    def minutes(self, minutes: float) -> None:
        self.now += 60 * minutes

    def get(self, rollout: Rollout) -> Rollout:
        return self.table.get(rollout.model_name, rollout.rollout_id)

    def entries(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the status and the detail of each entry about rollouts, after the whole chain was verified."""
        entries, _, problem = self.history.examined(MODEL)
        assert problem is None
        documents = [entry.document for entry in entries]
        return [(each["detail"]["status"], each["detail"]) for each in documents if each["kind"] == "rollout"]

    def live(self) -> Any:
        stored = self.files.read(MODEL)
        return stored.live if stored else None


@pytest.fixture
def world(aws: None) -> World:
    return World()


@pytest.fixture
def begin(world: World) -> Callable[..., Rollout]:
    from mlops.api.schemas.rollouts import RolloutRequest

    def beginning(**changes: Any) -> Rollout:
        steps = [{"weight": 5.0, "minutes": 10}, {"weight": 50.0, "minutes": 10}]
        request = RolloutRequest.model_validate({"version": 2, "steps": steps, "shadow_minutes": 5, **changes})
        return world.requests.start(MODEL, request, ADA, "request-1")

    return beginning
