"""Put something into the bin, take it out, and end it: each is one write with its entry in the history."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops.aws.bin_records import BinRecords, put_in, take_out
from mlops.aws.dynamodb_requests import Delete, Put
from mlops.aws.governance_table import VersionConflict
from mlops.aws.model_history import ModelHistory
from mlops.domain.access import Caller
from mlops.domain.bin import DELETED, EXPERIMENTS_CHAIN, PURGED, RESTORED, BinEntry, BinState
from mlops.domain.errors import Conflict
from mlops.domain.history import BIN


@dataclass(frozen=True)
class Bin:
    """What is in the bin, and the histories that say who put it there."""

    history: ModelHistory

    @classmethod
    def from_environment(cls) -> "Bin":
        return cls(ModelHistory.from_environment())

    @property
    def records(self) -> BinRecords:
        return self.history.bin

    def put_in(self, claimed: BinEntry) -> BinEntry:
        """Put something into the bin that was claimed, and return its entry.

        Raises:
            Conflict: The claim is too old, and somebody else has taken it.
            DependencyUnavailable: The table does not answer, or others kept writing at the same time.
        """
        entry = claimed.kept()
        said = {"actor": entry.actor, "owner": entry.owner, "reason": entry.reason}
        self._write(entry, DELETED, said, put_in(entry))
        return entry

    def take_out(self, entry: BinEntry, caller: Caller, reason: str | None) -> None:
        """Take something out of the bin.

        Raises:
            Conflict: It was restored or purged meanwhile.
            DependencyUnavailable: As `put_in`.
        """
        said = {"actor": caller.name, "owner": caller.owner, "reason": reason}
        self._write(entry, RESTORED, said, take_out(entry, BinState.KEPT))

    def end(self, entry: BinEntry, freed_bytes: int) -> None:
        """Record that something was purged.

        Raises:
            Conflict: Another round has done it.
            DependencyUnavailable: As `put_in`.
        """
        self._write(entry, PURGED, {"freed_bytes": freed_bytes}, take_out(entry, BinState.PURGING))

    def _write(self, entry: BinEntry, change: str, said: Mapping[str, Any], write: Put | Delete) -> None:
        detail = {"change": change, **entry.described(), **said}
        entry_id = f"{entry.entry_id}#{change}"
        try:
            if entry.chain == EXPERIMENTS_CHAIN:
                self.history.governance.append(EXPERIMENTS_CHAIN, BIN, entry_id, detail, dict, [write])
            else:
                self.history.append(entry.name, BIN, entry_id, detail, [write])
        except VersionConflict as conflict:
            raise Conflict(f"{entry} was deleted, restored or purged just now; look at it again") from conflict
