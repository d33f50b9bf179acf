"""Carries out what a transition asks for, step by step. Each may be repeated: after a crash, the next delivery of the
message goes by what was noted and does over what may have been done.

The order is the safety. What was decided is noted first. The gate's verdict is noted once the file is in place, and is
not asked for again: from there on it only goes forward. The alias moves in one row, so no two versions ever hold it;
the manifest follows it, then the mirrors (the replaced version's first), then the files.
"""

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger

from mlops.aws.dynamodb import Item
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.errors import DependencyUnavailable, NotFound, PlatformError
from mlops.domain.manifest import model_key
from mlops.domain.stages import ALIASES, ALLOWED, DISPLACED_TO, Stage
from mlops.registry.rest import RegisteredModel, Tracking, Version
from promotion.archive_tags import Shelf
from promotion.gate import GateSettings, check_integrity, check_metrics, load, passed
from promotion.serving_store import ModelFile, ServingStore, UnreadableManifest

logger = Logger(child=True)

Gates = list[dict[str, Any]]


class Rejected(Exception):
    """The transition is refused, for the reason given; the model stays as it is."""

    def __init__(self, reason: str, gates: Gates | None = None) -> None:
        super().__init__(reason)
        self.reason, self.gates = reason, gates or []


@dataclass(frozen=True)
class Registry:
    """What a move works on: MLflow, the history, the files that serve, the files in general, and the gate's limits."""

    tracking: Tracking
    transitions: TransitionsTable
    serving: ServingStore
    shelf: Shelf
    gate: GateSettings


class Mover:
    """Moves one version to one stage."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._tracking, self._serving = registry.tracking, registry.serving

    def move(self, item: Item) -> Gates:
        """Carry out a queued transition and return the gate's results.

        Raises:
            Rejected: the lifecycle or the gate refuses it; nothing has been moved.
            PlatformError: the registry refuses it; nothing has been moved.
            DependencyUnavailable: something is down; a later try goes on from here.
        """
        name = item["model_name"]
        model = self._tracking.model(name)
        version = self._tracking.version(name, item["version"])
        self._decide(item, model, version)
        left, entered = Stage(item["from_stage"]), Stage(item["stage"])
        if entered not in ALLOWED[left]:
            allowed = ", ".join(sorted(ALLOWED[left]))
            raise Rejected(f"Version {version.version} was in {left}; from there it may go to {allowed}")
        gates: Gates = []
        if entered in ALIASES:
            admitted, gates = self.admit(item, version)
            self._tracking.set_alias(name, ALIASES[entered], version.version)
            self.serve(item, version, admitted, entered)
        self.leave(model, left, entered, version)
        self.follow(item, version, entered)
        return gates

    def _decide(self, item: Item, model: RegisteredModel, version: Version) -> None:
        """Read once where the version stands and whom it replaces; a redelivery goes by the note of the first."""
        if "from_stage" in item:
            return
        entered = Stage(item["stage"])
        noted = {
            "from_stage": model.stage_of(version),
            "replaced_version": model.holder(entered) if entered in ALIASES else None,
        }
        self._registry.transitions.note(item["model_name"], item["transition_id"], noted)
        item |= noted

    def admit(self, item: Item, version: Version) -> tuple[ModelFile, Gates]:
        """The version's file, gated and put in place, and the gate's results. Once noted, neither changes any more.

        Raises:
            Rejected: the gate refuses it.
        """
        name = item["model_name"]
        if "admitted" in item:
            known = self._serving.published(name, item["admitted"])
            if known is not None and known.sha256 == item["admitted"]:
                load(known)
                return known, item["gates"]
        uri = self._tracking.artifact_uri(name, version.version)
        file = self._serving.fetch(uri, self._registry.gate.max_model_bytes)
        gates = check_integrity(file, version.tags, self._registry.gate)
        if not passed(gates):
            raise Rejected(failures(gates), gates)
        if item["stage"] == Stage.PRODUCTION and item.get("kind") != "mend":
            gates += check_metrics(self._metrics(version), version.tags, self._champion(item), self._registry.gate)
            if not passed(gates) and not item["force"]:
                raise Rejected(failures(gates), gates)
        self._serving.publish(name, file)
        if "sha256" not in version.tags:  # logged from elsewhere: from now on it is this file
            self._tracking.set_tag(name, version.version, "sha256", file.sha256)
        noted = {"admitted": file.sha256, "gates": gates}
        self._registry.transitions.note(name, item["transition_id"], noted)
        item |= noted
        return file, gates

    def serve(self, item: Item, version: Version, file: ModelFile, stage: Stage) -> None:
        """Tell predict."""
        self._serving.write_manifest(version, stage, file, self._metrics(version), item["transition_id"])

    def leave(self, model: RegisteredModel, left: Stage, entered: Stage, version: Version) -> None:
        """Take the version out of the stage it served before: one version, one stage."""
        if left in ALIASES and left is not entered:
            if model.holder(left) == version.version:
                self._tracking.delete_alias(model.name, ALIASES[left])
            self._serving.remove_manifest(model.name, left, version.version)

    def follow(self, item: Item, version: Version, entered: Stage) -> None:
        """Bring tags, MLflow's stages and files in line; the replaced version's first."""
        replaced = self._replaced(item)
        if replaced is not None:
            self._displace(replaced, DISPLACED_TO[entered])
        if entered not in ALIASES:
            self._displace(version, entered)
        else:
            self.mirror(version, entered)
            # Versions registered from one logged model share their files.
            self._registry.shelf.take(self._files(version))

    def _displace(self, version: Version, stage: Stage) -> None:
        """Mirror that the version serves no more, and put its files away if it is archived. It may serve all the same:
        a person can give one version both aliases, and it has lost but one."""
        model = self._tracking.model(version.model_name)
        if version.version in [model.holder(served) for served in ALIASES]:
            self.mirror(version, model.stage_of(version))
            return
        self.mirror(version, stage)
        if stage is Stage.ARCHIVED:
            self._registry.shelf.put(self._files(version))

    def mirror(self, version: Version, stage: Stage) -> None:
        """Have the tag and MLflow's own stage say `stage`. What MLflow refuses is left to reconcile: the alias
        counts."""
        name = version.model_name
        try:
            if stage is Stage.PRODUCTION:
                # The database takes one Production a model, and somebody may have moved MLflow's stage by hand.
                for other in self._tracking.in_mlflow_stage(name, Stage.PRODUCTION):
                    if other != version.version:
                        self._tracking.mirror_stage(name, other, self._stage_now(name, other))
            self._tracking.mirror_stage(name, version.version, stage)
        except DependencyUnavailable:
            raise
        except PlatformError as error:
            logger.warning("not mirrored", model=name, version=version.version, stage=stage, reason=error.detail)

    def _stage_now(self, name: str, version: int) -> Stage:
        return self._tracking.model(name).stage_of(self._tracking.version(name, version))

    def _champion(self, item: Item) -> tuple[dict[str, float], dict[str, str]] | None:
        """Metrics and tags of the version to be replaced, if there is one."""
        replaced = self._replaced(item)
        return (self._metrics(replaced), replaced.tags) if replaced else None

    def _replaced(self, item: Item) -> Version | None:
        number = item.get("replaced_version")
        if number is None or number == item["version"]:
            return None
        try:
            return self._tracking.version(item["model_name"], number)
        except NotFound:  # deleted in MLflow since
            return None

    def _metrics(self, version: Version) -> dict[str, float]:
        if not version.run_id:
            return {}
        try:
            metrics: dict[str, float] = self._tracking.run(version.run_id)["metrics"]
        except NotFound:  # a version outlives its run
            return {}
        return metrics

    def _files(self, version: Version) -> list[str]:
        """Prefixes of the version's files: as they were logged, and the copy that serves, unless another stage's (which
        a manifest that cannot be read may be)."""
        try:
            folder = self._serving.folder(self._tracking.artifact_uri(version.model_name, version.version))
        except DependencyUnavailable:
            raise
        except PlatformError:  # its source leads nowhere
            folder = None
        prefixes = [folder] if folder else []
        sha256 = version.tags.get("sha256")
        if sha256 and not any(self._may_serve(version.model_name, stage, sha256) for stage in ALIASES):
            prefixes.append(model_key(version.model_name, sha256))
        return prefixes

    def _may_serve(self, model_name: str, stage: Stage, sha256: str) -> bool:
        try:
            manifest = self._serving.manifest(model_name, stage)
        except UnreadableManifest:
            return True
        return manifest is not None and manifest.sha256 == sha256


def failures(gates: Gates) -> str:
    return "; ".join(f"{gate['check']}: {gate['detail']}" for gate in gates if not gate["passed"])
