"""Carries out what a transition asks for, step by step. Each may be repeated: after a crash, the next delivery of the
message goes by what was noted and does over what may have been done.

The order is the safety. What was decided is noted first. The gate's verdict is noted once the file is in place, and is
not asked for again: from there on it only goes forward. The alias moves in one row, so no two versions ever hold it;
the manifest follows it, then the mirrors (the replaced version's first), then the files.
"""

from aws_lambda_powertools import Logger

from mlops.domain.errors import DependencyUnavailable, NotFound, PlatformError
from mlops.domain.manifest import model_key
from mlops.domain.stages import ALIASES, DISPLACED_TO, Stage, refusal
from mlops.domain.transition import Gates, Transition
from mlops.registry.rest import RegisteredModel, Version
from promotion.admission import Admission
from promotion.dependencies import Dependencies
from promotion.rejection import Rejected
from promotion.serving_store import UnreadableManifest

logger = Logger(child=True)


class TransitionExecutor:
    """Moves one version to one stage."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._transitions, self._archive_tags = dependencies.transitions, dependencies.archive_tags
        self._tracking, self._serving = dependencies.tracking, dependencies.serving
        self._admission = Admission(dependencies)

    def execute(self, transition: Transition) -> Gates:
        """Carry out a queued transition and return the gate's results.

        Raises:
            Rejected: the lifecycle or the gate refuses it; nothing has been moved.
            PlatformError: the registry refuses it; nothing has been moved.
            DependencyUnavailable: something is down; a later try goes on from here.
        """
        name, entered = transition.model_name, transition.stage
        model = self._tracking.model(name)
        version = self._tracking.version(name, transition.version)
        left, transition = self._decide(transition, model, version)
        if (reason := refusal(left, entered)) is not None:
            raise Rejected(f"Version {version.version} was {reason}")
        gates: Gates = ()
        if entered in ALIASES:
            manifest, gates = self._admission.admit(transition, version)
            self._tracking.set_alias(name, ALIASES[entered], version.version)
            self._serving.write_manifest(manifest)
        self.leave(model, left, entered, version)
        self.follow(transition, version, entered)
        return gates

    def _decide(self, transition: Transition, model: RegisteredModel, version: Version) -> tuple[Stage, Transition]:
        """Read once where the version stands and whom it replaces; a redelivery goes by the note of the first."""
        if transition.from_stage is not None:
            return transition.from_stage, transition
        left, entered = model.stage_of(version), transition.stage
        replaced = model.holder(entered) if entered in ALIASES else None
        return left, self._transitions.note(transition, from_stage=left, replaced_version=replaced)

    def leave(self, model: RegisteredModel, left: Stage, entered: Stage, version: Version) -> None:
        """Take the version out of the stage it served before: one version, one stage."""
        if left in ALIASES and left is not entered:
            if model.holder(left) == version.version:
                self._tracking.delete_alias(model.name, ALIASES[left])
            self._serving.remove_manifest(model.name, left, version.version)

    def follow(self, transition: Transition, version: Version, entered: Stage) -> None:
        """Bring tags, MLflow's stages and files in line; the replaced version's first."""
        replaced = self._replaced(transition)
        if replaced is not None:
            self._displace(replaced, DISPLACED_TO[entered])
        if entered not in ALIASES:
            self._displace(version, entered)
        else:
            self.mirror(version, entered)
            # Versions registered from one logged model share their files.
            self._archive_tags.remove(self._files(version))

    def _displace(self, version: Version, stage: Stage) -> None:
        """Mirror that the version serves no more, and put its files away if it is archived. It may serve all the same:
        a person can give one version both aliases, and it has lost but one."""
        model = self._tracking.model(version.model_name)
        if version.version in [model.holder(served) for served in ALIASES]:
            self.mirror(version, model.stage_of(version))
            return
        self.mirror(version, stage)
        if stage is Stage.ARCHIVED:
            self._archive_tags.add(self._files(version))

    def mirror(self, version: Version, stage: Stage) -> None:
        """Have the tag and MLflow's own stage say `stage`. What MLflow refuses is left to reconcile: the alias
        counts."""
        name = version.model_name
        try:
            if stage is Stage.PRODUCTION:
                # The database takes one Production per model, and somebody may have moved MLflow's stage by hand.
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

    def _replaced(self, transition: Transition) -> Version | None:
        number = transition.replaced_version
        if number is None or number == transition.version:
            return None
        try:
            return self._tracking.version(transition.model_name, number)
        except NotFound:  # deleted in MLflow since
            return None

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
