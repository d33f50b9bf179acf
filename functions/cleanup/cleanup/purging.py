"""Remove for good what was long enough in the bin.

From its first step on it cannot be restored. Files go before MLflow's record of them, and both before the record of the
bin. So whoever dies in between leaves the record, and the next round does it again from the start.
"""

from collections.abc import Iterable
from typing import Any

from cleanup.files import Files
from mlops.aws.bin import Bin
from mlops.aws.bucket_folders import BucketFolders
from mlops.domain.access import Caller
from mlops.domain.bin import BinEntry, BinKind, BinState
from mlops.domain.errors import Conflict, NotFound
from mlops.registry.removals import DELETED_STAGE, Removals
from mlops.registry.rest import RegisteredModel, Version
from mlops.removal.keepers import Keepers
from mlops.removal.mirror import Mirror

_BY_HAND = Caller("MLflow", "admin")


class Needed(Exception):
    """What was to be purged is needed. The message says by what."""


class Purging:
    """Purges what is in the bin."""

    def __init__(self, tracking: Removals, bin_: Bin, keepers: Keepers, folders: BucketFolders) -> None:
        self._tracking, self._bin, self._keepers, self._folders = tracking, bin_, keepers, folders
        self._files = Files(tracking, keepers.transitions, folders.bucket)
        self._mirror = Mirror(tracking, bin_.records)

    def due(self) -> list[BinEntry]:
        """Return what is to be purged: versions before the runs that have made them."""
        order = list(BinKind)
        entries = [entry for entry in self._bin.records.all() if entry.is_due]
        return sorted(entries, key=lambda entry: (order.index(entry.kind), entry.entry_id))

    def purge(self, entry: BinEntry) -> int | None:
        """Purge something, and return how many bytes that freed; None if it was restored meanwhile.

        Raises:
            Needed: Something needs it.
            DependencyUnavailable: A service does not answer.
        """
        if entry.kind in (BinKind.MODEL, BinKind.VERSION):
            versions = self._versions(entry)
            begun = self._begin(entry)
            freed = self._purge_versions(versions) if begun else 0
        else:
            runs = self._runs(entry)
            if runs is None:
                return None
            begun = self._begin(entry)
            freed = self._folders.remove({prefix for run in runs for prefix in self._files.of_run(run)}) if begun else 0
        if not begun:
            return None
        try:
            self._bin.end(entry, freed)
        except Conflict:  # another round was faster
            return None
        return freed

    def _begin(self, entry: BinEntry) -> bool:
        """Make sure that it cannot be restored any more, and that lists leave it out; False if it was restored."""
        if not self._bin.records.begin_purge(entry):
            return False
        if not entry.mirrored:
            self._mirror.hide(entry)
        return True

    def _versions(self, entry: BinEntry) -> list[Version]:
        """Return the versions to purge that MLflow still has. Raises Needed."""
        try:
            model = self._tracking.model(entry.name)
        except NotFound:  # deleted in MLflow
            model = RegisteredModel(entry.name, {})
        kept = self._keepers.reasons(model, entry.numbers, rollbacks=False)
        if kept:
            number = next(iter(kept))
            raise Needed(f"version {number} {kept[number][0]}")
        found = self._tracking.versions(entry.name)
        return [each for each in found if each.version in entry.numbers and entry.covers(each.created_at)]

    def _purge_versions(self, versions: Iterable[Version]) -> int:
        """Remove versions one by one: what two of them share goes with the last one."""
        freed = 0
        for version in versions:
            name, number = version.model_name, version.version
            others = [each for each in self._tracking.versions() if (each.model_name, each.version) != (name, number)]
            freed += self._folders.remove(set(self._files.of_version(version, others)))
            self._tracking.delete_version(name, number)
        return freed

    def _runs(self, entry: BinEntry) -> list[dict[str, Any]] | None:
        """Return the runs to purge; None if somebody has restored them in MLflow. Raises Needed."""
        number = str(entry.experiment_id)
        try:
            if entry.kind is BinKind.RUN:
                runs = [self._tracking.run_info(str(entry.run_id))]
                restored = runs[0]["lifecycle_stage"] != DELETED_STAGE
            else:
                restored = self._tracking.experiment_by_id(number)["lifecycle_stage"] != DELETED_STAGE
                runs = list(self._tracking.runs(number))
        except NotFound:  # `mlflow gc` has removed it
            return []
        if restored and entry.mirrored and entry.state is BinState.KEPT:
            self._bin.take_out(entry, _BY_HAND, "restored in MLflow")
            return None
        ids = {run["run_id"] for run in runs}
        for version in self._tracking.versions():
            if version.run_id in ids:
                raise Needed(f"version {version.version} of {version.model_name!r} was made by it")
        return runs
