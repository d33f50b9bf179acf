"""One document about a transition, with all that it was decided by, for those who have to prove it later."""

from collections.abc import Iterable
from typing import Any

from mlops.api.schemas.history import ChainHead, ExportedEntry, ExportedRun, PromotionExport, Verification
from mlops.api.schemas.transitions import Transition as TransitionView
from mlops.aws.model_history import ModelHistory
from mlops.domain.errors import NotFound
from mlops.domain.history import BrokenChain, Entry
from mlops.domain.transition import Transition
from mlops.registry.rest import Tracking, Version

CODE_TAGS = ("mlops.code", "mlops.script", "mlops.job_id", "mlflow.source.name", "mlflow.source.git.commit")


class PromotionExports:
    def __init__(self, tracking: Tracking, history: ModelHistory) -> None:
        self._tracking, self._history = tracking, history

    @classmethod
    def from_environment(cls) -> "PromotionExports":
        return cls(Tracking.from_environment(), ModelHistory.from_environment())

    def document(self, transition: Transition) -> PromotionExport:
        """Return the document. Raises DependencyUnavailable."""
        name = transition.model_name
        entries, head, problem = self._history.examined(name)
        version = self._version(transition)
        return PromotionExport(
            transition=TransitionView.model_validate(transition, from_attributes=True),
            version_tags=dict(version.tags) if version else {},
            run=self._run(version),
            entries=list(_about(entries, transition.transition_id)),
            head=ChainHead.model_validate(head, from_attributes=True) if head else None,
            verification=Verification(valid=problem is None, problem=problem, entries=head.seq if head else 0),
        )

    def _version(self, transition: Transition) -> Version | None:
        try:
            return self._tracking.version(transition.model_name, transition.version)
        except NotFound:  # deleted in MLflow since
            return None

    def _run(self, version: Version | None) -> ExportedRun | None:
        if version is None or not version.run_id:
            return None
        try:
            run = self._tracking.run(version.run_id)
        except NotFound:  # a version outlives its run
            return None
        return ExportedRun(
            run_id=version.run_id,
            dataset_digest=version.tags.get("dataset_digest"),
            code={name: run["tags"][name] for name in CODE_TAGS if name in run["tags"]},
            params=run["params"],
            metrics={metric: str(value) for metric, value in run["metrics"].items()},
        )


def _about(entries: Iterable[Entry], transition_id: str) -> Iterable[ExportedEntry]:
    """Yield the entries about a transition: its outcome, and the decisions."""
    for entry in entries:
        try:
            document: dict[str, Any] = entry.document
        except BrokenChain:  # the verification says so
            continue
        if transition_id in (document.get("id"), document.get("detail", {}).get("transition_id")):
            yield ExportedEntry(seq=entry.seq, prev=entry.prev, sha256=entry.sha256, text=entry.text)
