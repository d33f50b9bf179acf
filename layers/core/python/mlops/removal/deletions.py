"""Put versions and models into the bin, and restore them.

The order makes this safe: something is claimed first, then checked, then put into the bin, then hidden in MLflow. From
the claim on promotion begins no transition of it, and a transition that was requested before is seen by the check.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mlops.aws.bin import Bin
from mlops.domain.access import Caller
from mlops.domain.bin import BinEntry, BinKind, BinState, in_bin
from mlops.domain.errors import InUse, NotFound
from mlops.registry.removals import Removals
from mlops.removal.keepers import Keepers
from mlops.removal.mirror import Mirror


@dataclass(frozen=True)
class Wish:
    """Who wants something deleted, and why. With `force`, also what a rollback can bring back."""

    actor: str
    owner: str
    reason: str
    force: bool = False

    @classmethod
    def of(cls, caller: Caller, reason: str, force: bool = False) -> "Wish":
        return cls(caller.name, caller.owner, reason, force)


class Deletions:
    """Deletes and restores versions and models."""

    def __init__(self, tracking: Removals, bin_: Bin, keepers: Keepers) -> None:
        self._tracking, self._bin, self._keepers = tracking, bin_, keepers
        self._mirror = Mirror(tracking, bin_.records)

    @classmethod
    def from_environment(cls) -> "Deletions":
        return cls(Removals.from_environment(), Bin.from_environment(), Keepers.from_environment())

    def delete_version(self, name: str, version: int, wish: Wish) -> BinEntry:
        """Put a version into the bin. One that is there already is returned as it is.

        Raises:
            NotFound: There is no such version.
            Conflict: Somebody else deletes it just now.
            InUse: It serves, something is under way with it, or a rollback can bring it back.
            DependencyUnavailable: A service does not answer.
        """
        registered = self._tracking.version(name, version)
        present = self._bin.records.version(name, version, registered.created_at)
        if present is not None:
            return self.hidden_again(present)
        entry = BinEntry(BinKind.VERSION, name, wish.reason, wish.actor, wish.owner, version=version, force=wish.force)
        return self._delete(entry, wish)

    def delete_model(self, name: str, wish: Wish) -> BinEntry:
        """Put a model into the bin, with all its versions. The errors are those of `delete_version`."""
        present = self._bin.records.model(name)
        if present is not None:
            return self.hidden_again(present)
        self._tracking.model(name)
        versions = tuple(
            sorted(
                version.version
                for version in self._tracking.versions(name)
                if self._bin.records.version(name, version.version, version.created_at) is None
            )
        )
        entry = BinEntry(BinKind.MODEL, name, wish.reason, wish.actor, wish.owner, versions=versions, force=wish.force)
        return self._delete(entry, wish)

    def restore_version(self, name: str, version: int, caller: Caller, reason: str | None) -> BinEntry:
        """Take a version out of the bin.

        Raises:
            NotFound: It is not in the bin.
            Conflict: It is there with its model; or it is too late.
            DependencyUnavailable: A service does not answer.
        """
        entry = self._bin.records.version(name, version)
        if entry is None:
            raise not_in_bin(f"Version {version} of {name!r}")
        if entry.kind is BinKind.MODEL:
            raise in_bin(entry, f"Version {version} of {name!r} was deleted with its model, which")
        return self.restore(entry, caller, reason)

    def restore_model(self, name: str, caller: Caller, reason: str | None) -> BinEntry:
        """Take a model out of the bin, with the versions that were deleted with it. The errors are as above."""
        entry = self._bin.records.model(name)
        if entry is None:
            raise not_in_bin(f"The model {name!r}")
        return self.restore(entry, caller, reason)

    def restore(self, entry: BinEntry, caller: Caller, reason: str | None) -> BinEntry:
        """Take anything out of the bin, and return its entry.

        It is shown before the record is gone. If the process dies in between, the next look hides it again.
        """
        if entry.state is not BinState.KEPT or entry.is_due:
            raise in_bin(entry)
        if not self._bin.records.note_mirrored(entry, False):
            raise in_bin(entry)
        self._mirror.show(entry)
        self._bin.take_out(entry, caller, reason)
        return entry

    def claimed(self, entry: BinEntry, check: Callable[[], None]) -> BinEntry:
        """Claim something, check it, put it into the bin and hide it. Return its entry.

        Args:
            entry: What is to be deleted.
            check: Raises an error if it may not be deleted.

        Raises:
            Conflict: Somebody else deletes it just now, or the check has taken too long.
        """
        self._bin.records.claim(entry)
        try:
            check()
        except Exception:
            self._bin.records.unclaim(entry)
            raise
        kept = self._bin.put_in(entry)
        self._mirror.hide(kept)
        return kept

    def hidden_again(self, present: BinEntry) -> BinEntry:
        """Return an entry that is there already, after its request may have died before MLflow had it."""
        if present.state is BinState.CLAIMED:
            raise in_bin(present)
        self._mirror.hide(present)
        return present

    def _delete(self, entry: BinEntry, wish: Wish) -> BinEntry:
        return self.claimed(entry, lambda: self._check(entry, wish.force))

    def _check(self, entry: BinEntry, force: bool) -> None:
        """Check that nothing needs the versions. Raises InUse, DependencyUnavailable."""
        kept = self._keepers.reasons(self._tracking.model(entry.name), entry.numbers, rollbacks=not force)
        if kept:
            number = next(iter(kept))
            first = f"version {number} {kept[number][0]}"
            others = f" (and {len(kept) - 1} more of its versions are in use)" if len(kept) > 1 else ""
            reasons = [{"version": number, "reasons": reasons} for number, reasons in kept.items()]
            raise InUse(f"{entry} cannot be deleted: {first}{others}", reasons)


def not_in_bin(what: str) -> NotFound:
    """Return the error of restoring what is not in the bin."""
    return NotFound(f"{what} is not in the bin; GET /bin lists what is")
