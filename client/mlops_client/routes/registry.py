"""Registered models and their transitions between stages."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mlops_client.defaults import DEFAULT_MODEL
from mlops_client.errors import TransitionRefused, WaitTimeout
from mlops_client.listing import Listing
from mlops_client.models import Conversion, Model, ModelDetail, Transition
from mlops_client.records import decode
from mlops_client.routes.base import PAGE_SIZE, Routes, given
from mlops_client.states import UNDER_WAY
from mlops_client.transport import path

MAX_SERVER_WAIT = 20
"""The API's limit of seconds to wait for the outcome."""


class RegistryRoutes(Routes):
    """Read registered models, promote versions and roll back."""

    def models(self, limit: int = 50, *, name: str | None = None) -> Listing[Model]:
        """Return at most `limit` registered models, ordered by name. `name` is a part of theirs."""
        keep = None if name is None else lambda model: name.lower() in model.name.lower()
        return self._pages("/models", "models", Model, limit, keep=keep)

    def model(self, name: str = DEFAULT_MODEL, limit: int = 10_000) -> ModelDetail:
        """Return a model with at most `limit` of its versions and their stages, the newest first."""
        query: dict[str, Any] = {"limit": min(PAGE_SIZE, limit)}
        model = decode(ModelDetail, self.transport.call("GET", path("models", name), query=query))
        while model.next_cursor is not None and len(model.versions) < limit:
            query = {"limit": min(PAGE_SIZE, limit - len(model.versions)), "cursor": model.next_cursor}
            page = decode(ModelDetail, self.transport.call("GET", path("models", name), query=query))
            model = replace(page, versions=[*model.versions, *page.versions])
        return model

    def history(
        self, name: str = DEFAULT_MODEL, limit: int = 50, *, version: int | None = None, stage: str | None = None
    ) -> Listing[Transition]:
        """Return who moved which version to which stage, when and why; the newest first.

        `version` and `stage` select the moves of one version, and those to one stage.
        """

        def wanted(transition: Transition) -> bool:
            return version in (None, transition.version) and stage in (None, transition.stage)

        keep = wanted if version is not None or stage is not None else None
        return self._pages(path("models", name, "history"), "transitions", Transition, limit, keep=keep)

    def promote(
        self,
        version: int,
        model_name: str = DEFAULT_MODEL,
        stage: str = "Production",
        *,
        reason: str | None = None,
        force: bool = False,
        wait: float = 600,
        idempotency_key: str | None = None,
        on_progress: Callable[[Transition], None] | None = None,
    ) -> Transition:
        """Move a version to another stage, and wait for the outcome.

        A version that was logged with plain MLflow is converted to ONNX first, which takes minutes.

        Args:
            version: The version.
            model_name: The registered model.
            stage: Staging, Production or Archived.
            reason: Kept in the history.
            force: Skip the metric gate; needs a reason. The integrity gates always apply.
            wait: Seconds to wait at most; 0 returns the transition as queued.
            idempotency_key: Requests with the same key are carried out only once.
            on_progress: Called with the transition when it is accepted, and when its status has changed.

        Raises:
            TransitionRefused: A gate rejected it, or it failed. It has the results of the gates.
            WaitTimeout: It is still queued, or converting. It continues.

        If it returns with the status awaiting_approval, somebody else has to approve it: `approve`.
        """
        body: dict[str, Any] = {"model_name": model_name, "version": version, "stage": stage}
        body |= given({"reason": reason, "force": force or None})
        return self._transition("/models/transition", body, wait, idempotency_key, on_progress)

    def rollback(
        self,
        model_name: str = DEFAULT_MODEL,
        *,
        reason: str | None = None,
        wait: float = 120,
        idempotency_key: str | None = None,
    ) -> Transition:
        """Move the previous version back to Production. The arguments and errors are those of `promote`."""
        route = path("models", model_name, "rollback")
        return self._transition(route, given({"reason": reason}), wait, idempotency_key)

    def transition(self, transition_id: str) -> Transition:
        """Return a transition with its outcome."""
        return decode(Transition, self.transport.call("GET", path("models", "transitions", transition_id)))

    def approve(self, transition_id: str, comment: str | None = None, *, wait: float = 120) -> Transition:
        """Approve a transition that waits, and wait for the outcome.

        Args:
            transition_id: The transition. Somebody else, with a key of another owner, has to have asked for it.
            comment: Kept in the history.
            wait: Seconds to wait at most.

        Raises:
            Forbidden: You have asked for it yourself, or your key may not approve.
            TransitionRefused: It failed.
            WaitTimeout: It is still queued. It continues.
        """
        route = path("models", "transitions", transition_id, "approve")
        return self._transition(route, given({"comment": comment}), wait, None)

    def reject(self, transition_id: str, comment: str | None = None, *, wait: float = 120) -> Transition:
        """Reject a transition that waits, and return it. The arguments are those of `approve`."""
        route = path("models", "transitions", transition_id, "reject")
        try:
            return self._transition(route, given({"comment": comment}), wait, None)
        except TransitionRefused as refused:
            return refused.transition

    def convert(self, version: int, model_name: str = DEFAULT_MODEL) -> Conversion:
        """Start the conversion of a version that was logged with plain MLflow to ONNX, unless it runs or has succeeded.

        `promote` does this by itself.
        """
        return decode(Conversion, self._post(_conversion(model_name, version), {}))

    def conversion(self, version: int, model_name: str = DEFAULT_MODEL) -> Conversion:
        """Return the last conversion of a version."""
        return decode(Conversion, self.transport.call("GET", _conversion(model_name, version)))

    def _transition(
        self,
        route: str,
        body: dict[str, Any],
        wait: float,
        key: str | None,
        on_progress: Callable[[Transition], None] | None = None,
    ) -> Transition:
        query = {"wait": min(MAX_SERVER_WAIT, int(wait))} if wait >= 1 else {}
        deadline = time.monotonic() + wait
        transition = decode(Transition, self._post(route, body, query=query, key=key))
        told = None
        while transition.status in UNDER_WAY and wait > 0:
            if on_progress is not None and transition.status != told:
                on_progress(transition)
                told = transition.status
            if time.monotonic() > deadline:
                name, status = transition.transition_id, transition.status
                raise WaitTimeout(f"transition {name} is still {status} after {wait:.0f} s; it continues")
            time.sleep(0.5)
            transition = self.transition(transition.transition_id)
        if transition.status in ("rejected", "failed"):
            raise TransitionRefused(transition)
        return transition


def _conversion(model_name: str, version: int) -> str:
    return path("models", model_name, "versions", str(version), "conversion")
