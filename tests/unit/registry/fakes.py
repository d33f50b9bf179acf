"""The registry's neighbours in memory, as far as promotion uses them; tests/integration runs on the real ones."""

from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Unpack

from boto3.dynamodb.conditions import ConditionBase

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.dynamodb_requests import Item, from_item
from mlops.aws.transitions_table import TransitionPage, TransitionsTable
from mlops.domain.conversion import Conversion
from mlops.domain.errors import Conflict, NotFound
from mlops.domain.manifest import Manifest, explain_key, model_key
from mlops.domain.stages import ALIASES, MLFLOW_STAGES, Stage
from mlops.domain.transition import Transition, TransitionChanges, TransitionStatus, transition_record
from mlops.registry.rest import RegisteredModel, Version
from mlops_contract.onnx_file import ModelFile
from promotion import promoter
from promotion.dependencies import Dependencies
from promotion.examination import Examine, examine
from promotion.gate import GateSettings
from promotion.serving_store import UnreadableManifest
from tests.support.crashes import Crash, Effects
from tests.support.governance import FakeHistory
from tests.support.serving import served

ONNX = served(features=4, image=None, classes=2, self_test=False).onnx
MODEL = "m"


class FakeTracking:
    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self.aliases: dict[str, int] = {}
        self.tags: dict[int, dict[str, str]] = {}
        self.stages: dict[int, str] = {}
        self.created_at: dict[int, str] = {}
        self.metrics: dict[int, dict[str, float]] = {}
        """Of the versions that have a run."""

    def add_version(self) -> int:
        number = len(self.tags) + 1
        self.tags[number], self.stages[number] = {"stage": "Registered"}, "None"
        return number

    def model(self, name: str) -> RegisteredModel:
        if name != MODEL:
            raise NotFound("no such model")
        return RegisteredModel(name, dict(self.aliases))

    def version(self, name: str, version: int) -> Version:
        if version not in self.tags:
            raise NotFound("no such version")
        created_at = self.created_at.get(version, "")
        run_id = str(version) if version in self.metrics else ""
        return Version(name, version, run_id, "", dict(self.tags[version]), self.stages[version], created_at)

    def run(self, run_id: str) -> dict[str, Any]:
        return {"metrics": self.metrics[int(run_id)], "artifact_uri": f"s3://bucket/mlflow/runs/{run_id}"}

    def versions(self, name: str) -> Iterator[Version]:
        return iter([self.version(name, number) for number in self.tags])

    def in_mlflow_stage(self, name: str, stage: Stage) -> list[int]:
        return [number for number, found in self.stages.items() if found == stage][:1]

    def artifact_uri(self, name: str, version: int) -> str:
        return f"s3://bucket/mlflow/{version}"

    def set_alias(self, name: str, alias: str, version: int) -> None:
        self.aliases[alias] = version
        self._effects.happened()

    def delete_alias(self, name: str, alias: str) -> None:
        self.aliases.pop(alias, None)
        self._effects.happened()

    def set_tag(self, name: str, version: int, key: str, value: str) -> None:
        self.tags[version][key] = value
        self._effects.happened()

    def mirror_stage(self, name: str, version: int, stage: Stage) -> None:
        self.set_tag(name, version, "stage", str(stage))
        others = [found for number, found in self.stages.items() if number != version]
        assert stage is not Stage.PRODUCTION or "Production" not in others, "the EXCLUDE constraint would refuse it"
        self.stages[version] = MLFLOW_STAGES[stage]
        self._effects.happened()


class FakeTransitions:
    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self.items: dict[str, dict[str, Any]] = {}

    def create(self, transition: Transition) -> bool:
        if transition.transition_id in self.items:
            return False
        self.items[transition.transition_id] = deepcopy(transition.to_record())
        self._effects.happened()
        return True

    def get(self, model_name: str, transition_id: str) -> Transition:
        if transition_id not in self.items:
            raise NotFound("no such transition")
        return Transition.from_record(deepcopy(self.items[transition_id]))

    def exists(self, model_name: str, transition_id: str) -> bool:
        return transition_id in self.items

    def begin(self, model_name: str, transition_id: str) -> Transition:
        transition = self.get(model_name, transition_id)
        return self.note(transition, tries=transition.tries + 1)

    def finish(self, transition: Transition, status: TransitionStatus, **values: Any) -> bool:
        if TransitionStatus(self.items[transition.transition_id]["status"]).has_ended:
            return False
        self._update(transition, {"status": status, **values})
        return True

    def note(self, transition: Transition, **changes: Unpack[TransitionChanges]) -> Transition:
        for name in [name for name, value in changes.items() if value is None]:
            self.items[transition.transition_id].pop(transition.recorded_as(name), None)
        self._update(transition, changes)
        return self.get(transition.model_name, transition.transition_id)

    def entered(self, model_name: str, stage: Stage) -> list[Transition]:
        items = [item for _, item in sorted(self.items.items()) if item["stage"] == stage]
        return [Transition.from_record(deepcopy(item)) for item in items if item["status"] == "succeeded"]

    def close(self, transition: Transition) -> None:
        self.items[transition.transition_id].pop("open", None)
        self._effects.happened()

    def admission(self, model_name: str, version: int, since: str = "") -> str | None:
        for _, item in sorted(self.items.items()):
            if item["version"] == version and "admitted" in item and item["created_at"] >= since:
                return str(item["admitted"])
        return None

    def history(self, model_name: str) -> TransitionPage:
        newest_first = [item for _, item in sorted(self.items.items(), reverse=True)]
        return TransitionPage([Transition.from_record(deepcopy(item)) for item in newest_first], None)

    def still_open(self, model_name: str | None = None, until: str = "tr_~") -> list[Transition]:
        items = [item for key, item in sorted(self.items.items()) if key <= until and "open" in item]
        return [Transition.from_record(deepcopy(item)) for item in items]

    def overtaken_by(self, transition: Transition) -> Transition | None:
        for key, item in sorted(self.items.items()):
            same = item["stage"] == transition.stage or item["version"] == transition.version
            if key > transition.transition_id and item["status"] == "succeeded" and same:
                return Transition.from_record(deepcopy(item))
        return None

    def _update(self, transition: Transition, values: Mapping[str, Any]) -> None:
        self.items[transition.transition_id] |= deepcopy(transition_record(values))
        self._effects.happened()


class CountedTable(DynamoTable):
    """A real table whose writes are counted."""

    def __init__(self, table: Any, effects: Effects) -> None:
        super().__init__(table)
        self._effects = effects

    def put(self, item: Item, condition: ConditionBase | None = None) -> bool:
        written = super().put(item, condition)
        if written:
            self._effects.happened()
        return written

    def update(self, *arguments: Any, **named: Any) -> Item | None:
        after = super().update(*arguments, **named)
        if after is not None:
            self._effects.happened()
        return after


class StoredTransitions(TransitionsTable):
    """The adapter itself, on a table of moto's."""

    def __init__(self, table: Any, effects: Effects) -> None:
        super().__init__(CountedTable(table, effects))
        self._rows = table

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        return {item["transition_id"]: from_item(item) for item in self._rows.scan(ConsistentRead=True)["Items"]}


class FakeServing:
    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self.files: dict[str, bytes] = {}
        self.manifests: dict[Stage, Manifest] = {}
        self.unreadable: dict[Stage, str] = {}
        """The ETags of manifests that cannot be read."""
        self.broken: set[int] = set()
        """Versions whose file in MLflow is no model."""
        self.logged: dict[int, bytes | None] = {}
        """Versions whose file in MLflow is another one, or None."""
        self.proofs: dict[int, bytes] = {}
        """Of the runs of versions."""
        self.explanations: dict[int, bytes] = {}
        """Likewise."""

        self.mlmodels: dict[int, str] = {}
        """The MLmodel files of versions."""
        self.converted: dict[str, bytes] = {}
        """Files that conversions wrote, by their ids."""

    def folder(self, uri: str) -> str:
        return uri.removeprefix("s3://bucket/") + "/"

    def has_model(self, uri: str) -> bool:
        return self.logged.get(int(uri.rsplit("/", 1)[1]), ONNX) is not None

    def mlmodel(self, uri: str) -> str | None:
        return self.mlmodels.get(int(uri.rsplit("/", 1)[1]))

    def fetch_converted(self, conversion: Conversion, max_bytes: int) -> ModelFile:
        return ModelFile(self.converted[conversion.conversion_id])

    def converted_proof(self, conversion: Conversion) -> bytes | None:
        return None

    def converted_explanation(self, conversion: Conversion) -> bytes | None:
        return None

    def fetch(self, uri: str, max_bytes: int) -> ModelFile:
        number = int(uri.rsplit("/", 1)[1])
        data = b"no model" if number in self.broken else self.logged.get(number, ONNX)
        if data is None:
            raise Conflict("The version has no model.onnx")
        return ModelFile(data)

    def sha256_of(self, uri: str) -> str:
        return self.fetch(uri, 0).sha256

    def proof(self, uri: str) -> bytes | None:
        return self.proofs.get(int(uri.rsplit("/", 1)[1])) if uri else None

    def explanation(self, uri: str) -> bytes | None:
        return self.explanations.get(int(uri.rsplit("/", 1)[1])) if uri else None

    def published_explanation(self, model_name: str, sha256: str) -> bytes | None:
        return self.files.get(explain_key(model_name, sha256))

    def published(self, model_name: str, sha256: str) -> ModelFile | None:
        data = self.files.get(model_key(model_name, sha256))
        file = ModelFile(data) if data else None
        return file if file is not None and file.sha256 == sha256 else None

    def publish(self, model_name: str, model: ModelFile, explanation: bytes | None) -> None:
        with model.stream() as content:
            self.files[model_key(model_name, model.sha256)] = content.read()
        if explanation is not None:
            self.files[explain_key(model_name, model.sha256)] = explanation
        self._effects.happened()

    def manifest(self, model_name: str, stage: Stage) -> Manifest | None:
        if stage in self.unreadable:
            raise UnreadableManifest("the manifest is not JSON", self.unreadable[stage], datetime.now(UTC))
        return self.manifests.get(stage)

    def write_manifest(self, manifest: Manifest) -> None:
        stage = Stage(manifest.stage)
        self.unreadable.pop(stage, None)
        self.manifests[stage] = manifest
        self._effects.happened()

    def spoil(self, stage: Stage, etag: str = "spoiled") -> None:
        """Somebody writes what is no manifest in its place."""
        self.manifests.pop(stage, None)
        self.unreadable[stage] = etag

    def remove_unreadable(self, model_name: str, stage: Stage) -> None:
        if self.unreadable.pop(stage, None):
            self._effects.happened()

    def remove_manifest(self, model_name: str, stage: Stage, version: int) -> None:
        found = self.manifests.get(stage)
        if found is not None and found.model_version == version:
            del self.manifests[stage]
            self._effects.happened()


class FakeArchiveTags:
    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self.archived: set[str] = set()

    def add(self, prefixes: list[str]) -> None:
        self.archived |= set(prefixes)
        self._effects.happened()

    def remove(self, prefixes: list[str]) -> None:
        self.archived -= set(prefixes)
        self._effects.happened()


class FakeConversions:
    """Conversions whose jobs end when a test says so."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self.found: dict[int, Conversion] = {}
        self.sources: list[str] = []
        """Of the conversions that were started."""

    def of(self, model_name: str, version: int, registered_at: str) -> Conversion | None:
        return self.found.get(version)

    def start(self, conversion: Conversion, source: str) -> Conversion:
        present = self.found.get(conversion.version)
        if present is not None and present.status != "failed":
            return present
        self.found[conversion.version] = conversion
        self.sources.append(source)
        self._effects.happened()
        return conversion

    def wait(self, conversion: Conversion, transition_id: str) -> bool:
        present = self.found[conversion.version]
        if present.status != "running":
            return False
        self.found[conversion.version] = replace(present, waiting=present.waiting | {transition_id})
        self._effects.happened()
        return True

    def end(self, version: int, **result: Any) -> None:
        self.found[version] = replace(self.found[version], **result)


class FakeEvents:
    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self.announced: list[str] = []
        self.waiting: list[tuple[str, list[str]]] = []

    def transition_ended(self, transition: Transition) -> None:
        self.announced.append(transition.transition_id)
        self._effects.happened()

    def approval_requested(self, transition: Transition, owners: list[str]) -> None:
        self.waiting.append((transition.transition_id, owners))
        self._effects.happened()


class FakeRollouts:
    """Notes which transitions ended a rollout, if there was one."""

    def __init__(self, effects: Effects) -> None:
        self.gave_way: list[str] = []
        self._effects = effects

    def of(self, transition: Transition) -> None:
        """None of these transitions is the last step of a rollout."""

    def give_way(self, transition: Transition) -> None:
        if transition.transition_id not in self.gave_way:
            self.gave_way.append(transition.transition_id)
            self._effects.happened()


class FakeLabels:
    """The totals of labels over the life of versions."""

    def __init__(self) -> None:
        self.counted: dict[tuple[str, int], Counter[str]] = {}

    def lifetime(self, model_name: str | None = None) -> dict[tuple[str, int], Counter[str]]:
        return {key: totals for key, totals in self.counted.items() if model_name in (None, key[0])}


class World:
    """A model `m`, and a promoter that works on it.

    Its history is in memory, or in `table`. What is served is in memory, or in `serving`, a store of a bucket `bucket`.
    """

    def __init__(self, versions: int = 3, table: Any = None, serving: Any = None, examining: Examine = examine) -> None:
        self.effects = Effects()
        self.transitions: FakeTransitions | StoredTransitions = FakeTransitions(self.effects)
        if table is not None:
            self.transitions = StoredTransitions(table, self.effects)
        self.tracking = FakeTracking(self.effects)
        self.serving, self.archive_tags = FakeServing(self.effects), FakeArchiveTags(self.effects)
        self.events = FakeEvents(self.effects)
        self.conversions = FakeConversions(self.effects)
        self.history = FakeHistory(self.effects.happened)
        self.rollouts = FakeRollouts(self.effects)
        self.labels = FakeLabels()
        gate = GateSettings(max_latency_ms=1e6)
        dependencies: Any = Dependencies(
            self.tracking,  # type: ignore[arg-type]
            self.transitions,  # type: ignore[arg-type]
            serving or self.serving,  # type: ignore[arg-type]
            self.archive_tags,  # type: ignore[arg-type]
            gate,
            self.conversions,  # type: ignore[arg-type]
            self.rollouts,  # type: ignore[arg-type]
            self.history,  # type: ignore[arg-type]
            self.labels,  # type: ignore[arg-type]
            examining,
        )
        self.promoter = promoter.Promoter(dependencies, self.events)  # type: ignore[arg-type]
        self._asked = 0
        for _ in range(versions):
            self.tracking.add_version()

    def ask(
        self, version: int, stage: str, force: bool = True, competes: bool = False, owner: str | None = None
    ) -> dict[str, Any]:
        """Record a transition and return its message."""
        identifier = self.next_id()
        asked = Transition(identifier, MODEL, version, Stage(stage), "tester", force=force, competes=competes)
        if owner is not None:
            asked = replace(asked, actor_owner=owner, actor_key=f"key-of-{owner}")
        self.transitions.create(asked)
        return {"kind": "transition", "transition_id": identifier, "model_name": MODEL}

    def repair(self) -> dict[str, Any]:
        return {"kind": "mend", "transition_id": self.next_id(), "model_name": MODEL}

    def next_id(self) -> str:
        self._asked += 1
        return f"tr_{self._asked:06d}"

    def deliver(self, message: dict[str, Any], tries: int = 3) -> None:
        """Hand a message over until it is dealt with, as the queue does."""
        for attempt in range(tries):
            try:
                return self.promoter.handle(message)
            except (Crash, Exception):
                if attempt + 1 == tries:
                    raise
        return None

    def check(self) -> None:
        """What holds once nothing is open any more."""
        holders = {stage: self.tracking.aliases.get(alias) for stage, alias in ALIASES.items()}
        served = {stage: manifest.model_version for stage, manifest in self.serving.manifests.items()}
        assert served == {stage: version for stage, version in holders.items() if version is not None}
        model = self.tracking.model(MODEL)
        for number in self.tracking.tags:
            version = self.tracking.version(MODEL, number)
            assert version.mirrors(model.stage_of(version)), (number, version, model)
        assert list(self.tracking.stages.values()).count("Production") <= 1
        assert not self.transitions.still_open()
        for stage, holder in holders.items():
            assert holder is None or f"mlflow/{holder}/" not in self.archive_tags.archived, stage

    def snapshot(self) -> Any:
        """All that a second run must not change; what says when or how often is left out."""
        left_out = ("created_at", "completed_at", "tries")
        history = {
            key: {name: value for name, value in item.items() if name not in left_out and name != "gates"}
            for key, item in self.transitions.items.items()
        }
        manifests = {stage: found.model_version for stage, found in self.serving.manifests.items()}
        tags = {number: tags["stage"] for number, tags in self.tracking.tags.items()}
        return (
            dict(self.tracking.aliases),
            tags,
            dict(self.tracking.stages),
            manifests,
            sorted(self.archive_tags.archived),
            history,
        )
