"""Puts right what was changed past the API: an alias moved or removed by hand, a manifest that is gone, a tag that
lies.

A difference between an alias and its manifest becomes an entry of the history like any transition, and is carried out
like one. The alias is followed if the version passes the integrity checks; else it is put back to what the manifest
serves.

A manifest that cannot be read names no version: it is written anew for the version that holds the alias. If that
version does not pass the checks, nothing is changed, as predict may still answer from the model that it has; the
history says so, once for each such manifest.
"""

from dataclasses import dataclass

from mlops.aws.dynamodb import Item
from mlops.domain.errors import Conflict, NotFound
from mlops.domain.stages import ALIASES, DISPLACED_TO, Stage
from mlops.registry.rest import RegisteredModel, Version
from promotion.serving_store import UnreadableManifest
from promotion.transition_executor import Gates, Mover, Registry, Rejected

ACTOR = "reconcile"


def entry_id(message_id: str, alias: str) -> str:
    """The id of what a message enters of an alias: redelivered it enters it no second time, and it sorts after it."""
    return f"{message_id}-{alias}"


@dataclass(frozen=True)
class _Served:
    """What a stage's manifest says: the version that it serves; or why it cannot be read, and its ETag."""

    version: int | None = None
    unreadable: str | None = None
    etag: str | None = None


class Mender:
    """Finds what differs and mends it."""

    def __init__(self, registry: Registry, mover: Mover) -> None:
        self._registry, self._mover = registry, mover
        self._tracking, self._serving = registry.tracking, registry.serving

    def record(self, model_name: str, message_id: str) -> bool:
        """Enter each difference between an alias and its manifest into the history, as queued; False if there is
        none."""
        model, differs = self._model(model_name), False
        for stage, alias in ALIASES.items():
            found, manifest = model.holder(stage), self._served(model_name, stage)
            served = manifest.version
            if manifest.unreadable and found is None:
                self._serving.remove_unreadable(model_name, stage)
                continue
            if found == served or self._refused_before(model_name, stage, manifest):
                continue
            differs = True
            entered = stage if found is not None else DISPLACED_TO[stage]
            self._registry.transitions.create(
                {
                    "transition_id": entry_id(message_id, alias),
                    "kind": "mend",
                    "model_name": model_name,
                    "version": found if found is not None else served,
                    "stage": entered,
                    "alias_stage": stage,
                    "found": found,
                    "served": served,
                    "replaced_version": served if found is not None else None,
                    "from_stage": self._before(model, stage, found),
                    "unreadable_manifest": manifest.etag,
                    "reason": _reason(alias, found, manifest),
                    "force": False,
                    "actor": ACTOR,
                }
            )
        return differs

    def mend(self, item: Item) -> Gates:
        """Carry out one entry. Raises as `Mover.move` does; Rejected means that the alias was put back."""
        model, stage = self._model(item["model_name"]), Stage(item["alias_stage"])
        found = item.get("found")
        if "put_back" in item:
            raise self._put_back(item, model, stage)
        if found is None:
            self._removed(item, stage)
            return []
        if model.holder(stage) != found:
            raise Rejected("The alias was moved again before this could be looked at")
        try:
            return self._followed(item, model, stage)
        except Rejected as rejection:
            self._refuse(item, rejection.reason, rejection.gates)
        except Conflict as refusal:
            self._refuse(item, refusal.detail, [])
        raise self._put_back(item, model, stage)

    def mirror(self, model_name: str) -> None:
        """Bring the tags and MLflow's own stages of all versions in line with the aliases; Production's last, as the
        database takes only one."""
        model = self._model(model_name)
        versions = sorted(
            self._tracking.versions(model_name), key=lambda each: model.stage_of(each) is Stage.PRODUCTION
        )
        for version in versions:
            stage = model.stage_of(version)
            if not version.mirrors(stage):
                self._mover.mirror(version, stage)

    def _followed(self, item: Item, model: RegisteredModel, stage: Stage) -> Gates:
        """The version that the alias names now serves, if it can."""
        left = Stage(item["from_stage"])
        if left is Stage.PRODUCTION and stage is Stage.STAGING:
            raise Rejected(f"Version {item['version']} is in Production; a version is in one stage")
        version = self._tracking.version(item["model_name"], item["version"])
        file, gates = self._mover.admit(item, version)
        self._mover.serve(item, version, file, stage)
        self._mover.leave(model, left, stage, version)
        self._mover.follow(item, version, stage)
        return gates

    def _removed(self, item: Item, stage: Stage) -> None:
        """Nobody holds the alias, so nobody serves."""
        self._serving.remove_manifest(item["model_name"], stage, item["version"])
        if (version := self._version(item["model_name"], item["version"])) is not None:
            self._mover.follow(item, version, DISPLACED_TO[stage])

    def _refuse(self, item: Item, reason: str, gates: Gates) -> None:
        """Note the verdict before anything is put back, so that a redelivery does not ask for it again."""
        noted = {"put_back": reason, "refused_gates": gates}
        self._registry.transitions.note(item["model_name"], item["transition_id"], noted)
        item |= noted

    def _put_back(self, item: Item, model: RegisteredModel, stage: Stage) -> Rejected:
        """The alias names what the manifest serves, as before; none, if there was none. Returns how the entry ends."""
        name, served = item["model_name"], item.get("served")
        if item.get("unreadable_manifest"):
            outcome = f"version {item['version']} keeps its alias; promote a version to write the manifest anew"
            return Rejected(f"{item['put_back']}; {outcome}", item["refused_gates"])
        before = self._version(name, served) if served is not None else None
        if before is not None:
            if model.holder(stage) != before.version:
                self._tracking.set_alias(name, ALIASES[stage], before.version)
            self._mover.mirror(before, stage)
            outcome = f"put back to version {before.version}"
        else:
            self._tracking.delete_alias(name, ALIASES[stage])
            outcome = "the alias was removed, as no version served"
        return Rejected(f"{item['put_back']}; {outcome}", item["refused_gates"])

    def _served(self, model_name: str, stage: Stage) -> _Served:
        try:
            manifest = self._serving.manifest(model_name, stage)
        except UnreadableManifest as unreadable:
            return _Served(None, str(unreadable), unreadable.etag)
        return _Served(manifest.model_version if manifest else None)

    def _refused_before(self, model_name: str, stage: Stage, manifest: _Served) -> bool:
        """Whether the newest page of the history says of these very bytes that they could not be replaced."""
        if manifest.etag is None:
            return False
        entries, _ = self._registry.transitions.history(model_name)
        return any(
            entry.get("unreadable_manifest") == manifest.etag and entry["alias_stage"] == stage for entry in entries
        )

    def _before(self, model: RegisteredModel, stage: Stage, found: int | None) -> Stage:
        """Where the version that is to be mended stood, as far as the other alias and its tag tell."""
        if found is None:
            return stage
        others = {alias: version for alias, version in model.aliases.items() if alias != ALIASES[stage]}
        version = self._version(model.name, found)
        if version is None:
            return Stage.REGISTERED
        return RegisteredModel(model.name, others).stage_of(version)

    def _model(self, name: str) -> RegisteredModel:
        """A model that was deleted in MLflow has no aliases left."""
        try:
            return self._tracking.model(name)
        except NotFound:
            return RegisteredModel(name, {})

    def _version(self, name: str, version: int) -> Version | None:
        try:
            return self._tracking.version(name, version)
        except NotFound:
            return None


def _reason(alias: str, found: int | None, manifest: _Served) -> str:
    if manifest.unreadable:
        return f"the alias {alias} names version {found}, whose manifest cannot be read: {manifest.unreadable}"
    if found is None:
        return f"the alias {alias} was taken from version {manifest.version} by hand"
    if manifest.version is None:
        return f"the alias {alias} names version {found}, which has no manifest"
    return f"the alias {alias} was moved from version {manifest.version} to version {found} by hand"
