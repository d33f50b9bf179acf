"""Rollouts: a version takes over step by step, and goes back by itself if it breaks a guardrail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_client.defaults import DEFAULT_MODEL
from mlops_client.listing import Listing
from mlops_client.models import Rollout
from mlops_client.records import decode
from mlops_client.routes.base import Routes, given
from mlops_client.transport import path


class RolloutRoutes(Routes):
    """Start rollouts, watch them, and end them."""

    def start_rollout(
        self,
        version: int,
        model_name: str = DEFAULT_MODEL,
        *,
        steps: Sequence[Mapping[str, Any]] | None = None,
        shadow_minutes: int | None = None,
        shadow_share: float | None = None,
        guardrails: Mapping[str, float | None] | None = None,
        bake_days: int | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Rollout:
        """Start the rollout of a version, which must be in Staging.

        If it returns with the status awaiting_approval, somebody else has to approve it: `approve_rollout`.

        Args:
            version: The version.
            model_name: The registered model.
            steps: Such as `{"weight": 5, "minutes": 30}`: percent of the routing keys, and how long at least. With
                `"min_labels": 500` the step waits for so many labels. What is left out is as the model's settings say.
            shadow_minutes: How long the version is only compared, before it answers anybody.
            shadow_share: Share of the requests for which both versions are asked.
            guardrails: Limits, such as `{"max_error_rate": 0.01}`; None switches one off.
            bake_days: For so many days after the last step labels can still bring the version before back.
            reason: Kept in the record.
            idempotency_key: Requests with the same key are carried out only once.
        """
        body: dict[str, Any] = {"version": version}
        if steps is not None:
            body["steps"] = [dict(step) for step in steps]
        body |= given({"shadow_minutes": shadow_minutes, "shadow_share": shadow_share, "bake_days": bake_days})
        body |= given({"reason": reason})
        if guardrails is not None:
            body["guardrails"] = dict(guardrails)
        return decode(Rollout, self._post(path("models", model_name, "rollouts"), body, key=idempotency_key))

    def rollouts(self, model_name: str = DEFAULT_MODEL, limit: int = 20) -> Listing[Rollout]:
        """Return the rollouts of a model, the newest first."""
        return self._pages(path("models", model_name, "rollouts"), "rollouts", Rollout, limit)

    def rollout(self, rollout_id: str, model_name: str = DEFAULT_MODEL) -> Rollout:
        """Return a rollout with what its requests have shown."""
        return decode(Rollout, self.transport.call("GET", path("models", model_name, "rollouts", rollout_id)))

    def pause_rollout(self, rollout_id: str, model_name: str = DEFAULT_MODEL) -> Rollout:
        """Let a rollout keep its phase; its guardrails still end it."""
        return self._act(model_name, rollout_id, "pause", {})

    def resume_rollout(self, rollout_id: str, model_name: str = DEFAULT_MODEL) -> Rollout:
        """Let a paused rollout go on."""
        return self._act(model_name, rollout_id, "resume", {})

    def abort_rollout(self, rollout_id: str, model_name: str = DEFAULT_MODEL, *, reason: str | None = None) -> Rollout:
        """End a rollout: only the version in Production answers then."""
        return self._act(model_name, rollout_id, "abort", given({"reason": reason}))

    def complete_rollout(self, rollout_id: str, model_name: str = DEFAULT_MODEL) -> Rollout:
        """Skip what is left of a rollout, and move its version to Production; the gates remain."""
        return self._act(model_name, rollout_id, "complete", {})

    def approve_rollout(
        self, rollout_id: str, model_name: str = DEFAULT_MODEL, *, comment: str | None = None
    ) -> Rollout:
        """Approve a rollout that waits; it begins within a minute.

        Args:
            rollout_id: The rollout. Somebody else, with a key of another owner, has to have asked for it.
            model_name: The registered model.
            comment: Kept in the history.

        Raises:
            Forbidden: You have asked for it yourself, or your key may not approve.
            ApiError: It does not wait for an approval (status 409).
        """
        return self._act(model_name, rollout_id, "approve", given({"comment": comment}))

    def reject_rollout(
        self, rollout_id: str, model_name: str = DEFAULT_MODEL, *, comment: str | None = None
    ) -> Rollout:
        """Reject a rollout that waits. The arguments are those of `approve_rollout`."""
        return self._act(model_name, rollout_id, "reject", given({"comment": comment}))

    def _act(self, model_name: str, rollout_id: str, action: str, body: dict[str, Any]) -> Rollout:
        return decode(Rollout, self._post(path("models", model_name, "rollouts", rollout_id, action), body))
