"""Read and change the settings of a model."""

from functools import cache

from mlops.api.auth import Caller
from mlops.api.schemas.settings import SettingsChange, SettingsState
from mlops.aws.governance_table import VersionConflict
from mlops.aws.model_history import ModelHistory
from mlops.domain.errors import Conflict, ValidationFailed
from mlops.domain.model_settings import ModelSettings, SettingsDefaults, StoredSettings
from mlops.domain.timestamps import now


class ModelSettingsStore:
    def __init__(self, history: ModelHistory, defaults: SettingsDefaults) -> None:
        self._history, self._defaults = history, defaults

    @classmethod
    def from_environment(cls) -> "ModelSettingsStore":
        return _store()

    def read(self, model_name: str) -> SettingsState:
        """Return the settings, and what holds. Raises DependencyUnavailable."""
        return self._state(model_name, self._history.settings(model_name))

    def change(self, model_name: str, change: SettingsChange, caller: Caller) -> SettingsState:
        """Replace the settings.

        Raises:
            ValidationFailed: They contradict each other, or the stack's parameters.
            Conflict: Somebody has changed them since.
            DependencyUnavailable: The table does not answer.
        """
        self._check(change.settings)
        stored = StoredSettings(
            version=change.expected_version + 1,
            settings=change.settings,
            changed_by=caller.name,
            owner=caller.owner,
            changed_at=now(),
            reason=change.reason,
        )
        try:
            self._history.change_settings(model_name, stored)
        except VersionConflict as conflict:
            present = self._history.settings(model_name).version
            raise Conflict(
                f"The settings of {model_name!r} have version {present}, and not {change.expected_version}: read them "
                "again, and change what is there now"
            ) from conflict
        return self._state(model_name, stored)

    def _check(self, settings: ModelSettings) -> None:
        drift = self._defaults.completed(settings).drift
        assert drift.warning is not None  # completed
        assert drift.alert is not None
        if drift.warning > drift.alert:
            raise ValidationFailed.of_field(
                "settings.drift.warning", f"must be at most the alert's {drift.alert:g}, and is {drift.warning:g}"
            )

    def _state(self, model_name: str, stored: StoredSettings) -> SettingsState:
        return SettingsState(
            model_name=model_name,
            version=stored.version,
            settings=stored.settings,
            effective=self._defaults.completed(stored.settings),
            changed_by=stored.changed_by,
            changed_at=stored.changed_at,
            reason=stored.reason,
        )


@cache
def _store() -> ModelSettingsStore:
    return ModelSettingsStore(ModelHistory.from_environment(), SettingsDefaults.from_environment())
