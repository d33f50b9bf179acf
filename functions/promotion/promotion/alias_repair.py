"""Repair what was changed without the API: an alias that was moved or removed, a missing manifest, a wrong tag.

A difference between an alias and its manifest is recorded in the history and carried out like a transition. If the
alias's version passes the integrity checks, it is served. Otherwise the alias is moved back to the version in the
manifest.

A manifest that cannot be read is written again for the version that holds the alias. If that version does not pass the
checks, nothing is changed, because predict may still answer from the model that it has loaded. The history has one
entry about each such manifest.
"""

from dataclasses import dataclass

from mlops.domain.errors import Conflict, NotFound
from mlops.domain.stages import ALIASES, DISPLACED_TO, Stage
from mlops.domain.transition import Gates, Transition, TransitionKind
from mlops.registry.rest import RegisteredModel, Version
from promotion.admission import Admission
from promotion.dependencies import Dependencies
from promotion.rejection import Rejected
from promotion.serving_store import UnreadableManifest
from promotion.transition_executor import TransitionExecutor

ACTOR = "reconcile"


def entry_id(message_id: str, alias: str) -> str:
    """Return the id of the repair of an alias: the same for each delivery of the message, and sorted after its id."""
    return f"{message_id}-{alias}"


@dataclass(frozen=True)
class _Served:
    """The version that a stage's manifest names; or why the manifest cannot be read, and its ETag."""

    version: int | None = None
    unreadable: str | None = None
    etag: str | None = None


class AliasRepair:
    """Find differences between aliases, manifests and tags, and repair them."""

    def __init__(self, dependencies: Dependencies, executor: TransitionExecutor) -> None:
        self._transitions, self._executor = dependencies.transitions, executor
        self._tracking, self._serving = dependencies.tracking, dependencies.serving
        self._admission = Admission(dependencies)

    def record(self, model_name: str, message_id: str) -> bool:
        """Record each difference between an alias and its manifest as a queued transition; False if there is none."""
        model, differs = self._model(model_name), False
        for stage, alias in ALIASES.items():
            holder, manifest = model.holder(stage), self._served(model_name, stage)
            if manifest.unreadable and holder is None:
                self._serving.remove_unreadable(model_name, stage)
                continue
            if holder == manifest.version or self._refused_before(model_name, stage, manifest):
                continue
            version = holder if holder is not None else manifest.version
            assert version is not None  # they differ, so one of them names a version
            differs = True
            self._transitions.create(
                Transition(
                    transition_id=entry_id(message_id, alias),
                    kind=TransitionKind.REPAIR,
                    model_name=model_name,
                    version=version,
                    stage=stage if holder is not None else DISPLACED_TO[stage],
                    from_stage=self._before(model, stage, holder),
                    replaced_version=manifest.version if holder is not None else None,
                    alias_stage=stage,
                    alias_version=holder,
                    served_version=manifest.version,
                    unreadable_manifest=manifest.etag,
                    reason=self._reason(model_name, alias, holder, manifest),
                    actor=ACTOR,
                )
            )
        return differs

    def execute(self, repair: Transition) -> Gates:
        """Carry out one repair and return the gate's results.

        Raises:
            Rejected: The alias was put back, or keeps a version whose manifest cannot be written.
            PlatformError: The registry refuses it.
            DependencyUnavailable: A service does not answer; a later try continues.
        """
        assert repair.alias_stage is not None  # `record` writes both
        assert repair.from_stage is not None
        model, stage = self._model(repair.model_name), repair.alias_stage
        if repair.put_back is not None:
            raise self._put_back(repair, repair.put_back, repair.refused_gates, model, stage)
        if repair.alias_version is None:
            self._removed(repair, stage)
            return ()
        if model.holder(stage) != repair.alias_version:
            raise Rejected("The alias was moved again before this repair began; the next repair handles it")
        try:
            return self._followed(repair, model, repair.from_stage, stage)
        except Rejected as rejection:
            reason, gates = rejection.reason, rejection.gates
        except Conflict as conflict:
            reason, gates = conflict.detail, ()
        # Noted before the alias is moved back, so that a second delivery does not run the gate again.
        self._transitions.note(repair, put_back=reason, refused_gates=gates)
        raise self._put_back(repair, reason, gates, model, stage)

    def mirror(self, model_name: str) -> None:
        """Set the tags and MLflow stages of all versions by the aliases.

        Production comes last, because the database accepts only one version in it.
        """
        model = self._model(model_name)
        versions = sorted(
            self._tracking.versions(model_name), key=lambda version: model.stage_of(version) is Stage.PRODUCTION
        )
        for version in versions:
            stage = model.stage_of(version)
            if not version.mirrors(stage):
                self._executor.mirror(version, stage)

    def _followed(self, repair: Transition, model: RegisteredModel, left: Stage, stage: Stage) -> Gates:
        """Serve the version that the alias names, if it passes the gate."""
        if left is Stage.PRODUCTION and stage is Stage.STAGING:
            raise Rejected(f"Version {repair.version} is in Production, and a version can be in only one stage")
        version = self._tracking.version(repair.model_name, repair.version)
        self._executor.check_bin(version)
        manifest, gates = self._admission.admit(repair, version)
        self._serving.write_manifest(manifest)
        self._executor.leave(model, left, stage, version)
        self._executor.follow(repair, version, stage)
        return gates

    def _removed(self, repair: Transition, stage: Stage) -> None:
        """Stop serving the stage, because no version holds its alias."""
        self._serving.remove_manifest(repair.model_name, stage, repair.version)
        if (version := self._version(repair.model_name, repair.version)) is not None:
            self._executor.follow(repair, version, DISPLACED_TO[stage])

    def _put_back(
        self, repair: Transition, reason: str, gates: Gates, model: RegisteredModel, stage: Stage
    ) -> Rejected:
        """Move the alias back to the version in the manifest, or remove it; return the reason of the rejection."""
        name, served = repair.model_name, repair.served_version
        if repair.unreadable_manifest:
            outcome = f"version {repair.version} keeps its alias; promote a version to write the manifest again"
            return Rejected(f"{reason}; {outcome}", gates)
        before = self._version(name, served) if served is not None else None
        if before is not None:
            if model.holder(stage) != before.version:
                self._tracking.set_alias(name, ALIASES[stage], before.version)
            self._executor.mirror(before, stage)
            outcome = f"put back to version {before.version}"
        else:
            self._tracking.delete_alias(name, ALIASES[stage])
            outcome = "the alias was removed, because no version served the stage"
        return Rejected(f"{reason}; {outcome}", gates)

    def _served(self, model_name: str, stage: Stage) -> _Served:
        try:
            manifest = self._serving.manifest(model_name, stage)
        except UnreadableManifest as unreadable:
            return _Served(None, str(unreadable), unreadable.etag)
        return _Served(manifest.model_version if manifest else None)

    def _refused_before(self, model_name: str, stage: Stage, manifest: _Served) -> bool:
        """Return whether the newest page of the history has a refusal for exactly this manifest."""
        if manifest.etag is None:
            return False
        entries = self._transitions.history(model_name).transitions
        return any(entry.unreadable_manifest == manifest.etag and entry.alias_stage is stage for entry in entries)

    def _before(self, model: RegisteredModel, stage: Stage, holder: int | None) -> Stage:
        """Return the version's stage before the change, from the other alias and the version's tag."""
        if holder is None:
            return stage
        others = {alias: version for alias, version in model.aliases.items() if alias != ALIASES[stage]}
        version = self._version(model.name, holder)
        if version is None:
            return Stage.REGISTERED
        return RegisteredModel(model.name, others).stage_of(version)

    def _model(self, name: str) -> RegisteredModel:
        """Return the model; one that was deleted in MLflow has no aliases."""
        try:
            return self._tracking.model(name)
        except NotFound:
            return RegisteredModel(name, {})

    def _version(self, name: str, version: int) -> Version | None:
        try:
            return self._tracking.version(name, version)
        except NotFound:
            return None

    def _reason(self, model_name: str, alias: str, holder: int | None, manifest: _Served) -> str:
        if manifest.unreadable:
            return f"the alias {alias} names version {holder}, whose manifest cannot be read: {manifest.unreadable}"
        if manifest.version is None:
            return f"the alias {alias} names version {holder}, which has no manifest"
        if holder is not None:
            return f"the alias {alias} was moved from version {manifest.version} to version {holder} by hand"
        if self._version(model_name, manifest.version) is None:
            return f"version {manifest.version}, which had the alias {alias}, was deleted in MLflow"
        return f"the alias {alias} was taken from version {manifest.version} by hand"
