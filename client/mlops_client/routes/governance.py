"""The settings of models, and the proof of their histories."""

from __future__ import annotations

from typing import Any

from mlops_client.defaults import DEFAULT_MODEL
from mlops_client.models import KeyHistory, SettingsState, Verification
from mlops_client.records import decode
from mlops_client.routes.base import Routes
from mlops_client.transport import path


class GovernanceRoutes(Routes):
    """Read and change settings, verify histories, and export what a transition was decided by."""

    def settings(self, model_name: str = DEFAULT_MODEL) -> SettingsState:
        """Return the settings of a model, and what holds for what it leaves out."""
        return decode(SettingsState, self.transport.call("GET", path("models", model_name, "settings")))

    def change_settings(
        self, settings: dict[str, Any], reason: str, model_name: str = DEFAULT_MODEL, *, expected_version: int
    ) -> SettingsState:
        """Replace the settings of a model.

        Args:
            settings: All that the model sets, by the names of `SettingsState.settings`.
            reason: Kept in the history.
            model_name: The registered model.
            expected_version: The version of the settings that these replace, from `settings`.

        Raises:
            Invalid: They are not valid. Names each field.
            ApiError: Somebody has changed them since (status 409).
        """
        body = {"expected_version": expected_version, "settings": settings, "reason": reason}
        return decode(SettingsState, self.transport.call("PUT", path("models", model_name, "settings"), body))

    def verify_history(self, model_name: str = DEFAULT_MODEL) -> Verification:
        """Return whether the history of a model is as it was written."""
        query = {"verify": "true", "limit": 1}
        page = self.transport.call("GET", path("models", model_name, "history"), query=query)
        return decode(Verification, page["verification"])

    def key_history(self) -> KeyHistory:
        """Return which API keys were made, changed and revoked, and whether this is as it was written."""
        return decode(KeyHistory, self.transport.call("GET", "/keys/history"))

    def export_transition(self, transition_id: str) -> dict[str, Any]:
        """Return one document about a transition: data, code, parameters, gate, decisions, place in the history."""
        document: dict[str, Any] = self.transport.call("GET", path("models", "transitions", transition_id, "export"))
        return document
