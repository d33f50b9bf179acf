"""Decide which file belongs to a version, and check it with the gate.

The first admission binds the version to the SHA-256 of its file, which the transition's record keeps. Every later
transition of the version, also a rollback, serves that file from `serving/`. Training jobs can overwrite MLflow's
artifacts, so a file that has changed there is reported, and never served.
"""

from collections import Counter
from typing import Any

from aws_lambda_powertools import Logger

from mlops.domain import objective
from mlops.domain.dataset_deletion import TAG as DELETED_TAG
from mlops.domain.errors import NotFound
from mlops.domain.manifest import Manifest
from mlops.domain.rollout.rollout import RolloutStatus
from mlops.domain.stages import Stage
from mlops.domain.transition import Gates, Transition, TransitionKind
from mlops.registry.rest import Version
from mlops_contract import Task
from mlops_contract.onnx_file import ModelFile
from promotion.consent import AwaitingRollout, Consent, Seen, compared
from promotion.dependencies import Dependencies
from promotion.examination import Beside, Examined, Placement
from promotion.gate import GateSettings, check_integrity, passed
from promotion.live_gate import check_live_accuracy
from promotion.metric_gate import Contender, check_metrics
from promotion.rejection import Rejected, failures
from promotion.serving_store import MODEL_FILE, UnreadableManifest
from promotion.version_files import VersionFile, VersionFiles

logger = Logger(child=True)


class Admission:
    """Admits the files of versions to `serving/`."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._transitions, self._settings = dependencies.transitions, dependencies.gate
        self._tracking, self._serving = dependencies.tracking, dependencies.serving
        self._examine, self._files = dependencies.examine, VersionFiles(dependencies)
        self._history, self._consent = dependencies.history, Consent(dependencies)
        self._labels, self._rollouts = dependencies.labels, dependencies.rollouts

    def admit(self, transition: Transition, version: Version) -> tuple[Manifest, Gates]:
        """Check the version's file and copy it to `serving/`.

        Returns:
            The manifest, and the gate's results. Results that the transition has noted already are kept.

        Raises:
            Rejected: The gate refuses it, or the file that was admitted before is gone.
            AwaitingApproval: Somebody has to approve it.
            AwaitingRollout: It is the last step of a rollout, which is not there yet.
            Conflict: MLflow has no file of the version that can be served.
        """
        name, run = version.model_name, self._run(version)
        metrics: dict[str, float] = run.get("metrics", {})
        if transition.sha256 is not None and (file := self._serving.published(name, transition.sha256)) is not None:
            kept = Beside(published=self._serving.published_explanation(name, file.sha256))
            return self._examined(transition, version, file, metrics, kept).manifest, transition.gates
        bound = transition.sha256 or self._transitions.admission(name, version.version, version.created_at)
        source = self._files.of(version)
        if bound is None:
            file, remark = source.fetch(self._settings.max_model_bytes), None
        else:
            file, remark = self._bound(version, source, bound)

        logged = source.explanation(run)
        published = self._serving.published_explanation(name, file.sha256) if bound else None
        beside = Beside(source.proof(run), logged, published if published != logged else None)

        def examined() -> Examined:
            found = self._examined(transition, version, file, metrics, beside)
            deleted = run.get("tags", {}).get(DELETED_TAG)
            return found if beside.proof is not None or deleted is None else found.without_rows(deleted)

        stored = self._history.settings(name)
        settings = self._settings.of(stored.settings)
        integrity = check_integrity(
            file,
            bound or source.registered,
            examined,
            settings,
            remark,
            admitted=bound is not None,
        )
        gates, manifest = integrity.results, integrity.manifest
        if not passed(gates) or manifest is None:
            raise Rejected(failures(gates), gates)
        competes = _competes(transition)
        is_shown = competes or stored.settings.approvals_for(transition.stage, transition.force)
        replaced = self._replaced(transition) if is_shown else None
        champion_run = self._run(replaced) if replaced is not None else {}
        if competes:
            challenger = _contender(version, metrics, manifest)
            champion, margin = self._champion(transition, replaced, champion_run), settings.metric_margin
            gates += tuple(check_metrics(challenger, champion, transition.stage, margin))
            gates += self._live(version, challenger.task, settings)
            if not passed(gates) and not transition.force:
                raise Rejected(failures(gates), gates)
        seen = compared(run, version, champion_run, replaced)
        self._consent.check(transition, version, stored, Seen(file.sha256, gates, seen))
        rollout = self._rollouts.of(transition)
        if rollout is not None and rollout.status is not RolloutStatus.PROMOTING:
            raise AwaitingRollout(gates)
        explained_by = manifest.explanations.sha256 if manifest.explanations is not None else None
        self._serving.publish(name, file, beside.explaining(explained_by) if explained_by else None)
        if version.tags.get("sha256") != file.sha256:  # logged from elsewhere, or changed since
            self._tracking.set_tag(name, version.version, "sha256", file.sha256)
        self._transitions.note(transition, sha256=file.sha256, gates=gates)
        return manifest, gates

    def _live(self, version: Version, task: str, settings: GateSettings) -> Gates:
        """Return the check of the version's own labels, if the model's settings or the stack ask for it."""
        needed, name = settings.min_live_accuracy, version.model_name
        if not needed:
            return ()
        totals = self._labels.lifetime(name).get((name, version.version), Counter())
        return (check_live_accuracy(totals, task, needed, settings.feedback_min_labels),)

    def _examined(
        self,
        transition: Transition,
        version: Version,
        file: ModelFile,
        metrics: dict[str, float],
        beside: Beside,
    ) -> Examined:
        """Load the file as predict does, and ask it for predictions.

        Raises:
            ModelRefused: Predict could not serve it.
        """
        placement = Placement(
            version.model_name,
            version.version,
            transition.stage,
            version.run_id,
            metrics,
            transition.transition_id,
        )
        return self._examine(file, placement, self._settings.limits, beside)

    def _run(self, version: Version) -> dict[str, Any]:
        """Return the version's run; nothing if the run was deleted."""
        if not version.run_id:
            return {}
        try:
            return self._tracking.run(version.run_id)
        except NotFound:  # a version outlives its run
            return {}

    def _bound(self, version: Version, source: VersionFile, sha256: str) -> tuple[ModelFile, str | None]:
        """Return the file that was admitted as the version, and a remark if another one is now where it came from.

        Raises:
            Rejected: It is neither in `serving/` nor where it came from.
        """
        logged = source.sha256()
        remark = None
        if logged != sha256:
            has = f"a file with the SHA-256 {logged}" if logged else f"no {MODEL_FILE}"
            remark = f"MLflow now has {has} for this version: the artifacts have changed, and are not served"
            logger.error("artifacts changed", model=version.model_name, version=version.version, logged=logged)
        if (file := self._serving.published(version.model_name, sha256)) is not None:
            return file, remark
        if remark is None:
            return source.fetch(self._settings.max_model_bytes), None
        raise Rejected(
            f"Version {version.version} was admitted as the file with the SHA-256 {sha256}, which is gone; {remark}. "
            "Register the model as a new version"
        )

    def _replaced(self, transition: Transition) -> Version | None:
        """Return the version to be replaced, if there is one."""
        number = transition.replaced_version
        if number is None or number == transition.version:
            return None
        try:
            return self._tracking.version(transition.model_name, number)
        except NotFound:  # deleted in MLflow since
            return None

    def _champion(self, transition: Transition, replaced: Version | None, run: dict[str, Any]) -> Contender | None:
        """Return the version to be replaced as the gate compares it, with the metrics that it had at its admission."""
        if replaced is None:
            return None
        manifest = self._manifest(transition, replaced.version)
        admitted = manifest.metrics if manifest is not None else {}
        return _contender(replaced, run.get("metrics", {}) | admitted, manifest)

    def _manifest(self, transition: Transition, version: int) -> Manifest | None:
        """Return the version's manifest; None if there is none or it cannot be read."""
        try:
            manifest = self._serving.manifest(transition.model_name, transition.stage)
        except UnreadableManifest:
            return None
        return manifest if manifest is not None and manifest.model_version == version else None


def _contender(version: Version, metrics: dict[str, float], manifest: Manifest | None) -> Contender:
    """Return a version as the metric gate compares it. Versions of models from elsewhere may lack the tags."""
    tags = version.tags
    predicts_quantity = manifest is not None and manifest.predicts_quantity
    task = tags.get("task", Task.REGRESSION if predicts_quantity else Task.CLASSIFICATION)
    return Contender(metrics, tags.get("dataset_digest"), manifest, objective.of_tags(tags), task)


def _competes(transition: Transition) -> bool:
    """Return whether the metric gate compares the version. A repair follows a change that was already made."""
    if transition.kind is TransitionKind.REPAIR:
        return False
    return transition.stage is Stage.PRODUCTION or transition.competes
