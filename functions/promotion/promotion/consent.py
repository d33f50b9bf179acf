"""Have transitions approved by somebody else, where the model's settings ask for it.

The gate comes first, so that people decide about its results. A decision is bound to what they have seen: the file, the
results, the settings, and the version that would be replaced. If any of it has changed when promotion goes on, the
decisions are void, and the transition waits again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops.domain.approval import MEASURED, Binding
from mlops.domain.history import canonical, digest
from mlops.domain.model_settings import StoredSettings
from mlops.domain.stages import Stage
from mlops.domain.transition import Gates, Transition, TransitionKind
from mlops.registry.rest import Version
from promotion.dependencies import Dependencies
from promotion.rejection import Rejected

MOST_SHOWN, LONGEST_SHOWN = 100, 200
"""Parameters and metrics that an approver is shown, and characters of each. Runs of own code may have thousands."""


class AwaitingApproval(Exception):
    """The gate has passed, and people have to decide. Nothing was moved."""

    def __init__(self, binding: Binding, seen: "Seen", needed: int, void: str | None) -> None:
        super().__init__("the transition waits for approval")
        self.binding, self.seen, self.needed, self.void = binding, seen, needed, void


class AwaitingRollout(Exception):
    """The gate has passed and nobody has to decide, but its rollout is not at its last step. Nothing was moved."""

    def __init__(self, gates: Gates) -> None:
        super().__init__("the transition waits for its rollout")
        self.gates = gates


@dataclass(frozen=True)
class Seen:
    """What an approver is shown: the hash of the file, the gate's results, and the comparison beside them."""

    sha256: str
    gates: Gates
    comparison: Mapping[str, Any]


class Consent:
    """The step between the gate and the admission of a file."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._transitions = dependencies.transitions

    def check(self, transition: Transition, version: Version, stored: StoredSettings, seen: Seen) -> None:
        """Return if the transition needs no approval, or has it.

        Args:
            transition: The transition.
            version: The version.
            stored: The model's settings, which the gate has used.
            seen: What an approver is shown.

        Raises:
            AwaitingApproval: Somebody has to approve it.
            Rejected: An alias was moved by hand to a version that nobody has approved.
        """
        needed = stored.settings.approvals_for(transition.stage, transition.force)
        if not needed:
            return
        if transition.kind is TransitionKind.REPAIR:
            if self._past(transition, version):
                return
            raise Rejected(
                f"Transitions of this model to {transition.stage} need approval: request one with "
                "POST /models/transition, instead of moving the alias"
            )
        if self._approved_before(transition, version, seen.sha256):
            return
        binding = Binding(seen.sha256, _digest(seen.gates), stored.version, transition.replaced_version)
        changes = binding.changes(transition.binding) if transition.binding and transition.decisions else []
        approvals = sum(decision.approved for decision in transition.decisions)
        if transition.binding is not None and not changes and approvals >= needed:
            return
        void = f"{' and '.join(changes)} changed after the approval" if changes else None
        raise AwaitingApproval(binding, seen, needed, void)

    def _approved_before(self, transition: Transition, version: Version, sha256: str) -> bool:
        """Return whether it is a rollback to a version that was approved for this stage, as this file."""
        if not transition.force or transition.from_stage is not Stage.ARCHIVED:
            return False
        return any(
            past.decisions and past.binding is not None and past.binding.sha256 == sha256
            for past in self._past(transition, version)
        )

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
        "metrics": _shown(run.get("metrics", {})),
        "replaced_metrics": _shown(champion.get("metrics", {})),
        "dataset_digest": version.tags.get("dataset_digest"),
        "replaced_dataset_digest": replaced.tags.get("dataset_digest") if replaced else None,
        "params": [
            {"name": _cut(name), "before": _cut(old.get(name)), "now": _cut(new.get(name))}
            for name in changed[:MOST_SHOWN]
        ],
        "params_changed": len(changed),
    }


def _shown(metrics: Mapping[str, float]) -> dict[str, str | None]:
    return {name: _cut(str(metrics[name])) for name in sorted(metrics)[:MOST_SHOWN]}


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def _digest(gates: Gates) -> str:
    """Return the hash of the gate's results, without what is measured anew each time."""
    return digest(
        canonical(
            [[gate.check, gate.passed, gate.kind, "" if gate.check in MEASURED else gate.detail] for gate in gates]
        )
    )
