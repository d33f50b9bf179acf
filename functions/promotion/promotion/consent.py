"""Have transitions approved by somebody else, where the model's settings ask for it.

The gate comes first, so that people decide about its results. A decision is bound to what they have seen: the file, the
results, the settings, and the version that would be replaced. If any of it has changed when promotion goes on, the
decisions are void, and the transition waits again.
"""

from collections.abc import Mapping
from typing import Any

from mlops.domain.approval import MEASURED, Binding
from mlops.domain.history import canonical, digest
from mlops.domain.stages import Stage
from mlops.domain.transition import Gates, Transition, TransitionKind
from mlops.registry.rest import Version
from promotion.dependencies import Dependencies
from promotion.rejection import Rejected

MOST_CHANGES = 100
"""Parameters that an approver is shown. A run of own code may have thousands."""


class AwaitingApproval(Exception):
    """The gate has passed, and people have to decide. Nothing was moved."""

    def __init__(
        self, binding: Binding, gates: Gates, needed: int, comparison: Mapping[str, Any], void: str | None
    ) -> None:
        super().__init__("the transition waits for approval")
        self.binding, self.gates, self.needed, self.comparison, self.void = binding, gates, needed, comparison, void


class Consent:
    """The step between the gate and the admission of a file."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._history, self._transitions = dependencies.history, dependencies.transitions

    def check(
        self, transition: Transition, version: Version, sha256: str, gates: Gates, comparison: Mapping[str, Any]
    ) -> None:
        """Return if the transition needs no approval, or has it.

        Args:
            transition: The transition.
            version: The version.
            sha256: The hash of its file.
            gates: The results of the gate.
            comparison: What an approver is shown beside them.

        Raises:
            AwaitingApproval: Somebody has to approve it.
            Rejected: An alias was moved by hand to a version that nobody has approved.
            DependencyUnavailable: The settings cannot be read.
        """
        stored = self._history.settings(transition.model_name)
        needed = stored.settings.approvals_for(transition.stage, transition.force)
        if not needed:
            return
        if transition.kind is TransitionKind.REPAIR:
            if self._served_before(transition, version):
                return
            raise Rejected(
                f"Transitions of this model to {transition.stage} need approval: request one with "
                "POST /models/transition, instead of moving the alias"
            )
        if self._approved_before(transition, version, sha256):
            return
        binding = Binding(sha256, _digest(gates), stored.version, transition.replaced_version)
        changes = binding.changes(transition.binding) if transition.binding and transition.decisions else []
        approvals = sum(decision.approved for decision in transition.decisions)
        if transition.binding is not None and not changes and approvals >= needed:
            return
        void = f"{' and '.join(changes)} changed after the approval" if changes else None
        raise AwaitingApproval(binding, gates, needed, comparison, void)

    def _approved_before(self, transition: Transition, version: Version, sha256: str) -> bool:
        """Return whether it is a rollback to a version that was approved for this stage, as this file."""
        if not transition.force or transition.from_stage is not Stage.ARCHIVED:
            return False
        return any(
            past.decisions and past.binding is not None and past.binding.sha256 == sha256
            for past in self._past(transition, version)
        )

    def _served_before(self, transition: Transition, version: Version) -> bool:
        return any(True for _ in self._past(transition, version))

    def _past(self, transition: Transition, version: Version) -> list[Transition]:
        """Return the transitions that moved the version to this stage. A model that was deleted has other versions."""
        return [
            past
            for past in self._transitions.entered(transition.model_name, transition.stage)
            if past.version == version.version and past.created_at >= version.created_at
        ]


def compared(
    run: Mapping[str, Any], version: Version, champion: Mapping[str, Any], replaced: Version | None
) -> dict[str, Any]:
    """Return what an approver is shown: metrics and data of both versions, and the parameters that differ.

    Args:
        run: The run of the version; empty if it has none.
        version: The version.
        champion: The run of the version that would be replaced; empty likewise.
        replaced: That version, if there is one.
    """
    new, old = run.get("params", {}), champion.get("params", {})
    changed = [name for name in sorted(new.keys() | old.keys()) if new.get(name) != old.get(name)]
    return {
        "replaced_version": replaced.version if replaced else None,
        "metrics": {name: str(value) for name, value in run.get("metrics", {}).items()},
        "replaced_metrics": {name: str(value) for name, value in champion.get("metrics", {}).items()},
        "dataset_digest": version.tags.get("dataset_digest"),
        "replaced_dataset_digest": replaced.tags.get("dataset_digest") if replaced else None,
        "params": [{"name": name, "before": old.get(name), "now": new.get(name)} for name in changed[:MOST_CHANGES]],
        "params_changed": len(changed),
    }


def _digest(gates: Gates) -> str:
    """Return the hash of the gate's results, without what is measured anew each time."""
    return digest(
        canonical(
            [[gate.check, gate.passed, gate.kind, "" if gate.check in MEASURED else gate.detail] for gate in gates]
        )
    )
