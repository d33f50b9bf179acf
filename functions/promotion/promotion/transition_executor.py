"""Carry out a transition step by step. Each step can be repeated: after a crash, the next delivery of the message uses
what was noted, and repeats what may have been done.

The order makes this safe. Decisions are noted first. The gate's results are noted when the file is in `serving/`, and
the gate does not run again. A rollout of what moves ends next. The alias is one row, so only one version can hold it.
The manifest follows, then tags and MLflow's stages (first those of the replaced version), then the files' archive tags.
"""

from aws_lambda_powertools import Logger

from mlops.domain.bin import BinState
from mlops.domain.errors import DependencyUnavailable, NotFound, PlatformError
from mlops.domain.manifest import explain_key, model_key
from mlops.domain.stages import ALIASES, DISPLACED_TO, Stage, refusal
from mlops.domain.transition import Gates, Transition, TransitionStatus
from mlops.registry.rest import RegisteredModel, Version
from promotion.admission import Admission
from promotion.conversion import ConversionStep
from promotion.dependencies import Dependencies
from promotion.rejection import Rejected
from promotion.serving_store import UnreadableManifest

logger = Logger(child=True)


class TransitionExecutor:
    """Move one version to one stage."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._transitions, self._archive_tags = dependencies.transitions, dependencies.archive_tags
        self._tracking, self._serving = dependencies.tracking, dependencies.serving
        self._rollouts, self._bin = dependencies.rollouts, dependencies.history.bin
        self._admission, self._conversion = Admission(dependencies), ConversionStep(dependencies)

    def execute(self, transition: Transition) -> Gates:
        """Carry out a queued transition and return the gate's results.

        Raises:
            Rejected: The lifecycle or the gate refuses it. Nothing was moved.
            PlatformError: The registry refuses it.
            Converting: The version is being converted. Nothing was noted or moved.
            AwaitingApproval: Somebody has to approve it. Nothing was moved.
            AwaitingRollout: It waits for its rollout. Nothing was moved.
            DependencyUnavailable: A service does not answer. A later try continues from here.
        """
        name, entered = transition.model_name, transition.stage
        model = self._tracking.model(name)
        version = self._tracking.version(name, transition.version)
        self.check_bin(version)
        waited = transition.binding is not None and transition.sha256 is None
        if transition.from_stage is None or waited:  # other versions may serve since it began to wait
            transition = self._decide(transition, model, version)
        left = Stage(str(transition.from_stage))
        gates: Gates = ()
        manifest = None
        if entered in ALIASES:
            manifest, gates = self._admission.admit(transition, version)
        self._rollouts.give_way(transition)
        if manifest is not None:
            self._tracking.set_alias(name, ALIASES[entered], version.version)
            self._serving.write_manifest(manifest)
        self.leave(model, left, entered, version)
        self.follow(transition, version, entered)
        return gates

    def check_bin(self, version: Version) -> None:
        """Check that the version is not in the bin.

        Whoever deletes a version claims it before they look for transitions of it. So either they see this transition
        and leave the version alone, or it is seen here that they were first.

        Raises:
            Rejected: It is in the bin.
            DependencyUnavailable: Somebody checks just now whether it may be deleted.
        """
        binned = self._bin.version(version.model_name, version.version, version.created_at)
        if binned is None:
            return
        reason = f"{binned} {binned.refusal()}"
        raise DependencyUnavailable(reason) if binned.state is BinState.CLAIMED else Rejected(reason)

    def _decide(self, transition: Transition, model: RegisteredModel, version: Version) -> Transition:
        """Note the version's stage and which version it replaces; a later delivery uses the first one's note.

        A transition that waits for a conversion has no note: other versions may serve when the conversion has ended.
        """
        left, entered = model.stage_of(version), transition.stage
        if (reason := refusal(left, entered)) is not None:
            raise Rejected(f"Version {version.version} was {reason}")
        replaced = None
        if entered in ALIASES:
            self._conversion.take(transition, version)
            replaced = model.holder(entered)
        queued = TransitionStatus.QUEUED
        return self._transitions.note(transition, status=queued, from_stage=left, replaced_version=replaced)

    def leave(self, model: RegisteredModel, left: Stage, entered: Stage, version: Version) -> None:
        """Remove the version from the stage that it served before: a version is in one stage only."""
        if left in ALIASES and left is not entered:
            if model.holder(left) == version.version:
                self._tracking.delete_alias(model.name, ALIASES[left])
            self._serving.remove_manifest(model.name, left, version.version)

    def follow(self, transition: Transition, version: Version, entered: Stage) -> None:
        """Update tags, MLflow's stages and archive tags, first those of the replaced version."""
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
        """Record that the version does not serve this stage any more, and tag its files if it is archived.

        It may still serve the other stage, because both aliases can be set to one version by hand.
        """
        model = self._tracking.model(version.model_name)
        if version.version in [model.holder(served) for served in ALIASES]:
            self.mirror(version, model.stage_of(version))
            return
        self.mirror(version, stage)
        if stage is Stage.ARCHIVED:
            self._archive_tags.add(self._files(version))

    def mirror(self, version: Version, stage: Stage) -> None:
        """Set the tag and MLflow's stage. If MLflow refuses, reconcile repairs it later, because only the alias
        decides."""
        name = version.model_name
        try:
            if stage is Stage.PRODUCTION:
                # The database accepts one Production per model, and MLflow's stage may have been moved by hand.
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
        """Return the prefixes of the version's files: in MLflow, and in `serving/` unless a stage may still serve that
        file."""
        try:
            folder = self._serving.folder(self._tracking.artifact_uri(version.model_name, version.version))
        except DependencyUnavailable:
            raise
        except PlatformError:  # the source does not exist
            folder = None
        prefixes = [folder] if folder else []
        sha256 = version.tags.get("sha256")
        if sha256 and not any(self._may_serve(version.model_name, stage, sha256) for stage in ALIASES):
            prefixes += [model_key(version.model_name, sha256), explain_key(version.model_name, sha256)]
        return prefixes

    def _may_serve(self, model_name: str, stage: Stage, sha256: str) -> bool:
        try:
            manifest = self._serving.manifest(model_name, stage)
        except UnreadableManifest:
            return True
        return manifest is not None and manifest.sha256 == sha256
