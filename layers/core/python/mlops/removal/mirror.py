"""Let MLflow show what the records of the bin say. Each step can be repeated, so a look completes what was begun."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial

from mlops.aws.bin import Bin
from mlops.aws.bin_records import BinRecords
from mlops.domain.bin import BinEntry, BinKind, BinState
from mlops.domain.errors import NotFound
from mlops.registry.removals import Removals


class Mirror:
    """Writes the tags of versions and models, and deletes and restores runs and experiments."""

    def __init__(self, tracking: Removals, records: BinRecords) -> None:
        self._tracking, self._records = tracking, records

    @classmethod
    def from_environment(cls) -> "Mirror":
        return cls(Removals.from_environment(), Bin.from_environment().records)

    def hide(self, entry: BinEntry) -> None:
        """Let MLflow show that something is in the bin, and note it in the record.

        If it was restored meanwhile, it is shown again.
        """
        self._set(entry, hidden=True)
        if not self._records.note_mirrored(entry, True):
            self._set(entry, hidden=False)

    def show(self, entry: BinEntry) -> None:
        """Let MLflow show something again."""
        self._set(entry, hidden=False)

    def look(self) -> list[str]:
        """Hide what is in the bin and is still shown; return what it was."""
        late = [entry for entry in self._records.all() if not entry.mirrored and entry.state is not BinState.CLAIMED]
        for entry in late:
            self.hide(entry)
        return [entry.identity for entry in late]

    def show_strays(self, entries: Iterable[BinEntry]) -> list[str]:
        """Show versions that are hidden though no entry says so: a restore has crossed with a look."""
        hidden = {(entry.name, number) for entry in entries for number in entry.numbers}
        shown = []
        for version in list(self._tracking.hidden_versions()):
            name, number = version.model_name, version.version
            if (name, number) not in hidden and self._records.version(name, number) is None:
                self._tracking.show_version(name, number)
                shown.append(f"{name} {number}")
        return shown

    def _set(self, entry: BinEntry, *, hidden: bool) -> None:
        """Hide or show something. What was deleted in MLflow itself is left alone: nothing shows it."""
        for step in self._steps(entry, hidden):
            with suppress(NotFound):
                step()

    def _steps(self, entry: BinEntry, hidden: bool) -> Iterator[Callable[[], None]]:
        tracking = self._tracking
        if entry.kind is BinKind.RUN:
            yield partial(tracking.set_run_deleted, str(entry.run_id), hidden)
        if entry.kind is BinKind.EXPERIMENT:
            yield partial(tracking.set_experiment_deleted, str(entry.experiment_id), hidden)
        for number in entry.numbers:
            yield partial(tracking.hide_version if hidden else tracking.show_version, entry.name, number)
        if entry.kind is BinKind.MODEL:
            yield partial(tracking.hide_model if hidden else tracking.show_model, entry.name)
