"""Settings and history of models in memory."""

from collections.abc import Callable, Mapping
from typing import Any

from mlops.domain.bin import BinEntry, BinKind, BinState
from mlops.domain.dataset_deletion import DatasetDeletion
from mlops.domain.history import TRANSITION, described
from mlops.domain.model_settings import ModelSettings, StoredSettings
from mlops.domain.transition import Transition


class FakeBin:
    """The versions in the bin, by name and number."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, int], BinEntry] = {}

    def put(self, model_name: str, version: int, state: BinState = BinState.KEPT) -> None:
        """Put a version into the bin."""
        entry = BinEntry(BinKind.VERSION, model_name, "x", "ann", version=version, state=state)
        self.versions[model_name, version] = entry

    def version(self, model_name: str, version: int, registered_at: str = "") -> BinEntry | None:
        return self.versions.get((model_name, version))


class FakeHistory:
    """Has what `ModelHistory` has, as far as functions use it. `happened` is called after each entry."""

    def __init__(self, happened: Callable[[], None] = lambda: None) -> None:
        self._happened = happened
        self.stored = StoredSettings()
        self.bin = FakeBin()
        self.deleted: dict[str, DatasetDeletion] = {}
        """Data sets that were deleted, by the addresses of their files."""
        self.entries: dict[str, tuple[str, Mapping[str, Any]]] = {}
        """By their ids: the kind and the detail."""

    def settings(self, model_name: str) -> StoredSettings:
        return self.stored

    def deleted_data(self, address: str) -> DatasetDeletion | None:
        return self.deleted.get(address)

    def set(self, **values: Any) -> None:
        """Change the settings, as the next version."""
        self.stored = StoredSettings(self.stored.version + 1, ModelSettings.model_validate(values))

    def append(self, model_name: str, kind: str, entry_id: str, detail: Mapping[str, Any]) -> None:
        if entry_id not in self.entries:
            self.entries[entry_id] = (kind, detail)
            self._happened()

    def ended(self, transition: Transition) -> None:
        self.append(transition.model_name, TRANSITION, transition.transition_id, described(transition))
