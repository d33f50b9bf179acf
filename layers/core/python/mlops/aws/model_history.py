"""The history of a model: its transitions, and the chain of entries that shows whether one was changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops.aws.bin_records import BinRecords
from mlops.aws.dynamodb_requests import Write
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.history import TRANSITION, Entry, Head, check_transitions, described, genesis_of
from mlops.domain.model_settings import StoredSettings
from mlops.domain.transition import Transition


@dataclass(frozen=True)
class ModelHistory:
    """The tables that have a model's history."""

    governance: GovernanceTable
    transitions: TransitionsTable

    @classmethod
    def from_environment(cls) -> "ModelHistory":
        return cls(GovernanceTable.from_environment(), TransitionsTable.from_environment())

    def settings(self, model_name: str) -> StoredSettings:
        """Return the settings of a model. Raises DependencyUnavailable."""
        return self.governance.settings(model_name)

    @property
    def bin(self) -> BinRecords:
        """The records of what is in the bin."""
        return self.governance.bin

    def append(
        self, model_name: str, kind: str, entry_id: str, detail: Mapping[str, Any], besides: Sequence[Write] = ()
    ) -> None:
        """Add an entry, once per id, with further writes. Raises DependencyUnavailable, VersionConflict."""
        self.governance.append(model_name, kind, entry_id, detail, lambda: self._genesis(model_name), besides)

    def ended(self, transition: Transition) -> None:
        """Add the entry of a transition that has ended, once. Raises DependencyUnavailable."""
        self.append(transition.model_name, TRANSITION, transition.transition_id, described(transition))

    def change_settings(self, model_name: str, stored: StoredSettings) -> None:
        """Replace the settings, with an entry. Raises VersionConflict, DependencyUnavailable."""
        self.governance.change_settings(model_name, stored, lambda: self._genesis(model_name))

    def verify(self, model_name: str) -> tuple[Head | None, str | None]:
        """Check the whole chain, and the transitions against it.

        Returns:
            The head, and what is wrong with the first entry that is; None if nothing is.
        """
        return self.examined(model_name)[1:]

    def examined(self, model_name: str) -> tuple[list[Entry], Head | None, str | None]:
        """Return the entries up to the head, and what `verify` returns."""
        return self.governance.examined(
            model_name, lambda entries: check_transitions(entries, self.transitions.all_of(model_name))
        )

    def _genesis(self, model_name: str) -> dict[str, Any]:
        return genesis_of(self.transitions.all_of(model_name))
