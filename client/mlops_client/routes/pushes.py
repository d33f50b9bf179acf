"""Versions that come from another stack."""

from __future__ import annotations

from typing import Any

from mlops_client.models import PushState
from mlops_client.records import decode
from mlops_client.routes.base import Routes
from mlops_client.transport import path


class PushRoutes(Routes):
    """Register versions of another stack."""

    def receive_push(self, model_name: str, push: dict[str, Any]) -> PushState:
        """Send what is known of a version of another stack; `mlops_client.pushing.push` does all of it.

        Returns:
            The version here, or which contents are missing: upload them, and send the same again.
        """
        return decode(PushState, self.transport.call("POST", path("models", model_name, "pushes"), push, safe=True))
