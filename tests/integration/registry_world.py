"""Promotion's own code in this process, on the session's PostgreSQL, MLflow, DynamoDB and S3.

The queue is left out, so that a test decides when a message arrives; the deployed promotion sees nothing of it.
"""

import hashlib
import math
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
import pytest

from infra.local import deploy
from mlops.aws.conversion_jobs import ConversionJobs
from mlops.aws.conversions_table import ConversionsTable
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.eventbridge import Events
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.model_history import ModelHistory
from mlops.aws.open_rollouts import OpenRollouts
from mlops.aws.rollout_files import RolloutFiles
from mlops.aws.rollouts_table import RolloutsTable
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.manifest import Manifest
from mlops.domain.rollout.live import LiveRollout
from mlops.domain.rollout.plan import Plan
from mlops.domain.rollout.rollout import Rollout, RolloutStatus, new_rollout_id
from mlops.domain.stages import ALIASES, Stage
from mlops.domain.transition import Transition, new_transition_id
from mlops.registry.rest import Tracking
from promotion import archive_tags, gate, promoter
from promotion import serving_store as serving
from promotion.dependencies import Dependencies
from tests.support.crashes import Effects, Watched
from tests.support.serving import served
from tests.unit.registry.fakes import FakeLabels

NEW = {"stage": "Registered", "dataset_digest": "d1"}
ONNX = served(features=4, image=None, classes=2).onnx


class WatchedRollouts(RolloutsTable):
    """The rollouts table, whose ends are counted."""

    def __init__(self, table: DynamoTable, effects: Effects) -> None:
        super().__init__(table)
        self._effects = effects

    def end(self, rollout: Rollout, status: RolloutStatus, **changes: Any) -> bool:
        ended = super().end(rollout, status, **changes)
        self._effects.happened("transact_write_items")
        return ended


class World:
    """One model and a promoter whose every change can be the last thing it does."""

    def __init__(self, model: str, table: str, bucket: str, conversions: str, governance: str, rollouts: str) -> None:
        self.model, self.bucket, self.effects = model, bucket, Effects()
        self.s3 = boto3.client("s3")
        self.tracking = Tracking.from_environment()
        self._table = boto3.resource("dynamodb").Table(table)
        self.transitions = TransitionsTable(DynamoTable(self._table))
        self._conversions = ConversionsTable(DynamoTable(boto3.resource("dynamodb").Table(conversions)))
        self.governance = GovernanceTable(DynamoTable(boto3.resource("dynamodb").Table(governance)))
        self.rollouts = WatchedRollouts(DynamoTable(boto3.resource("dynamodb").Table(rollouts)), self.effects)
        self.tracking._post("registered-models/create", {"name": model})

    def promoter(self) -> promoter.Promoter:
        """A new one, as after a crash."""
        tracking = Tracking(self.tracking._base.split("/api/")[0], 30)
        self._watch_calls(tracking)
        transitions = TransitionsTable(DynamoTable(Watched(self._table, self.effects)))
        files, tags, events = (
            serving.ServingStore(self.bucket),
            archive_tags.ArchiveTags(self.bucket),
            Events("default"),
        )
        rollout_files = RolloutFiles(self.bucket)
        for each, name in ((files, "_s3"), (rollout_files, "_s3"), (tags, "_s3"), (events, "_events")):
            setattr(each, name, Watched(getattr(each, name), self.effects))
        limits = gate.GateSettings(max_latency_ms=1000, max_model_bytes=1_000_000)
        converted: Any = ConversionJobs(self._conversions, None)  # type: ignore[arg-type]  # nothing to convert
        history = ModelHistory(self.governance, transitions)
        rollouts = OpenRollouts(self.rollouts, rollout_files)
        labels: Any = FakeLabels()
        dependencies = Dependencies(tracking, transitions, files, tags, limits, converted, rollouts, history, labels)
        return promoter.Promoter(dependencies, events)

    def begin_rollout(self, champion: int, challenger: int) -> Rollout:
        """Record a rollout that runs, and write what predict reads of it."""
        plan = Plan.model_validate({"steps": [{"weight": 5, "minutes": 1}]})
        files = RolloutFiles(self.bucket)
        manifest = serving.ServingStore(self.bucket).manifest(self.model, Stage.STAGING)
        assert manifest is not None
        rollout = Rollout(
            new_rollout_id(),
            self.model,
            challenger,
            manifest.sha256,
            champion,
            plan,
            "test",
            status=RolloutStatus.RUNNING,
        )
        assert self.rollouts.create(rollout)
        live = LiveRollout(
            rollout.rollout_id, champion, challenger, rollout.sha256, 0, 5.0, 1.0, 2.0, time.time() + 300
        )
        files.publish(manifest, live)
        return rollout

    def _watch_calls(self, tracking: Tracking) -> None:
        call: Callable[..., Any] = tracking._call

        def watched(method: str, path: str, **more: Any) -> Any:
            answer = call(method, path, **more)
            if method != "GET" and not path.endswith("get-latest-versions"):
                self.effects.happened(path)
            return answer

        tracking._call = watched  # type: ignore[method-assign]

    def version(
        self, onnx: bytes | None = ONNX, accuracy: float | None = 0.9, source: str | None = None, **tags: str
    ) -> int:
        """Register a version with a run of that accuracy, or without a run; all are measured on the same data."""
        number = len(list(self.tracking.versions(self.model))) + 1
        folder = f"mlflow/tests/{self.model}/{number}"
        self.s3.put_object(Bucket=self.bucket, Key=f"{folder}/MLmodel", Body=b"flavors: {}")
        if onnx is not None:
            self.s3.put_object(Bucket=self.bucket, Key=f"{folder}/model.onnx", Body=onnx)
            tags = {"sha256": hashlib.sha256(onnx).hexdigest(), **tags}
        body: dict[str, Any] = {"name": self.model, "source": source or f"s3://{self.bucket}/{folder}"}
        body["tags"] = [{"key": key, "value": value} for key, value in {**NEW, **tags}.items()]
        if accuracy is not None:
            run = self.tracking._post("runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
            logged = {"run_id": run, "key": "accuracy", "value": _in_json(accuracy), "timestamp": 1, "step": 0}
            self.tracking._post("runs/log-metric", logged)
            body["run_id"] = run
        return int(self.tracking._post("model-versions/create", body)["model_version"]["version"])

    def ask(self, version: int, stage: str, force: bool = False) -> dict[str, Any]:
        """Record a transition and return its message."""
        asked = Transition(new_transition_id(), self.model, version, Stage(stage), "tester", force=force)
        self.transitions.create(asked)
        return {"kind": "transition", "transition_id": asked.transition_id, "model_name": self.model}

    def repair(self) -> dict[str, Any]:
        return {"kind": "mend", "transition_id": new_transition_id(), "model_name": self.model}

    def move(self, version: int, stage: str, force: bool = False) -> Transition:
        """Ask, deliver, and return the record."""
        message = self.ask(version, stage, force)
        self.promoter().handle(message)
        return self.transitions.get(self.model, message["transition_id"])

    def manifest(self, stage: Stage = Stage.PRODUCTION) -> Manifest:
        """What predict is told to serve."""
        manifest = serving.ServingStore(self.bucket).manifest(self.model, stage)
        assert manifest is not None
        return manifest

    def history(self) -> list[tuple[Any, ...]]:
        """(version, stage, status) of each entry, the oldest first."""
        newest_first = self.transitions.history(self.model, limit=200).transitions
        return [(entry.version, entry.stage, entry.status) for entry in reversed(newest_first)]

    def state(self) -> dict[str, Any]:
        """Everything that says which version is where, and which files are put away."""
        model = self.tracking.model(self.model)
        store = serving.ServingStore(self.bucket)
        manifests = {str(stage): store.manifest(self.model, stage) for stage in ALIASES}
        return {
            "aliases": model.aliases,
            "tags": {each.version: each.tags.get("stage") for each in self.tracking.versions(self.model)},
            "mlflow": {each.version: each.mlflow_stage for each in self.tracking.versions(self.model)},
            "manifests": {stage: found.model_version for stage, found in manifests.items() if found},
            "archived": sorted(number for number in model_numbers(self) if self._is_archived(number)),
            "open": [transition.transition_id for transition in self.transitions.still_open(self.model)],
        }

    def _is_archived(self, number: int) -> bool:
        key = f"mlflow/tests/{self.model}/{number}/MLmodel"
        tags = self.s3.get_object_tagging(Bucket=self.bucket, Key=key)["TagSet"]
        return {"Key": archive_tags.TAG, "Value": archive_tags.ARCHIVED} in tags

    def agrees(self) -> bool:
        """Whether the mirrors and the manifests say what the aliases say."""
        state, model = self.state(), self.tracking.model(self.model)
        served = {str(stage): model.holder(stage) for stage in ALIASES if model.holder(stage)}
        mirrored = all(each.mirrors(model.stage_of(each)) for each in self.tracking.versions(self.model))
        stages = list(state["tags"].values())
        return served == state["manifests"] and mirrored and stages.count(Stage.PRODUCTION) <= 1 and not state["open"]


def _in_json(value: float) -> float | str:
    """A number as MLflow's client sends it: JSON has no NaN."""
    return "NaN" if math.isnan(value) else value


def model_numbers(world: World) -> list[int]:
    return [each.version for each in world.tracking.versions(world.model)]


_make_client = boto3.client


@cache
def _shared_client(service: str) -> Any:
    return _make_client(service)


def _client(service: str, **options: Any) -> Any:
    """A client costs a tenth of a second, and a walk would make some hundred."""
    return _make_client(service, **options) if options else _shared_client(service)


def make_world(stack: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> World:
    for variable, value in stack.env.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("TRACKING_TIMEOUT_SECONDS", "30")
    monkeypatch.setattr(boto3, "client", _client)
    deployed = deploy.describe(stack.settings)
    assert deployed is not None
    names = [deployed.outputs[f"{name}Name"] for name in ("TransitionsTable", "ArtifactBucket", "GovernanceTable")]
    table, bucket, governance = names
    made = deploy.physical_ids(stack.settings)
    return World(name, table, bucket, made["ConversionsTable"], governance, made["RolloutsTable"])
