"""The events that webhooks send, and how they are made from the platform's events on EventBridge."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops.domain.access import ALL_MODELS

ENDINGS = ("completed", "failed", "cancelled")
"""How a job, a sweep or a batch prediction ends."""
EVENT_TYPES = (
    *(f"transition.{status}" for status in ("succeeded", "rejected", "failed")),
    "rollout.started",
    *(f"rollout.{status}" for status in ("succeeded", "rolled_back", "aborted", "failed", "rejected")),
    "drift.alert",
    "drift.recovered",
    "performance.alert",
    "performance.recovered",
    "approval.requested",
    "retrain.requested",
    "cleanup.ended",
    *(f"{family}.{status}" for family in ("job", "sweep", "batch_prediction") for status in ENDINGS),
)
"""What a webhook may subscribe to: all that the platform sends."""
TEST = "webhook.test"
"""The type of the event that `POST /webhooks/{id}/test` sends, whatever the webhook subscribes to."""
FAMILIES = tuple(dict.fromkeys(name.partition(".")[0] for name in EVENT_TYPES))


class NotAnEvent(ValueError):
    """An event of EventBridge from which no event of ours can be made. The text names the field."""


@dataclass(frozen=True)
class PlatformEvent:
    """Something that has happened.

    Attributes:
        type: One of `EVENT_TYPES`, or `TEST`.
        identity: The same for each repetition of the event, and of no other event.
        name: The model, or the experiment where there is no model; `*` if it is about all of them.
        timestamp: When it happened, ISO 8601 in UTC.
        data: What is known of it, which can be JSON.
        other_names: Further models and experiments that a key must be for to know of it.
    """

    type: str
    identity: str
    name: str
    timestamp: str
    data: Mapping[str, Any]
    other_names: tuple[str, ...] = ()

    def message_id(self, webhook_id: str) -> str:
        """Return the id of its message to a webhook. It is the same each time, so that a receiver sees repetitions."""
        digest = hashlib.sha256(f"{webhook_id}\n{self.type}\n{self.identity}".encode()).hexdigest()
        return f"msg_{digest[:32]}"


@dataclass(frozen=True)
class _Source:
    """How to read an event of EventBridge: its family, and which fields have its end and its identity.

    Without `status` the type is fixed; without `identity` it is EventBridge's id of the event; without `names` it is
    about all models, and those may know of it whose key is for all.
    """

    type: str
    status: str | None = None
    identity: str | None = None
    names: tuple[str, ...] = ("model_name",)


_WITH_EXPERIMENT = ("model_name", "experiment_name")
_SOURCES = {
    "Model Transition": _Source("transition", "status", "transition_id"),
    "Rollout Started": _Source("rollout.started", identity="rollout_id"),
    "Rollout Ended": _Source("rollout", "status", "rollout_id"),
    "Drift Alert": _Source("drift.alert"),
    "Drift Recovered": _Source("drift.recovered"),
    "Performance Alert": _Source("performance.alert"),
    "Performance Recovered": _Source("performance.recovered"),
    "Approval Requested": _Source("approval.requested"),
    "Retrain Requested": _Source("retrain.requested", identity="retrain_id"),
    "Job Ended": _Source("job", "status", "job_id", _WITH_EXPERIMENT),
    "Sweep Ended": _Source("sweep", "status", "job_id", _WITH_EXPERIMENT),
    "Batch Prediction Ended": _Source("batch_prediction", "status", "batch_id"),
    "Cleanup Ended": _Source("cleanup.ended", identity="cleanup_id", names=()),
}
DETAIL_TYPES = tuple(_SOURCES)
"""The events of EventBridge that `read_event` reads. The rule in the template has the same."""


def read_event(event: Mapping[str, Any]) -> PlatformEvent:
    """Make an event from one of EventBridge. Fields that this version does not know are kept in its data.

    Raises:
        NotAnEvent: It is none of `DETAIL_TYPES`, or lacks a field that it needs.
    """
    detail_type, detail = event.get("detail-type"), event.get("detail")
    source = _SOURCES.get(str(detail_type))
    if source is None or not isinstance(detail, Mapping):
        raise NotAnEvent(f"detail-type is {detail_type!r}; webhooks send {', '.join(DETAIL_TYPES)}")
    kind = source.type if source.status is None else f"{source.type}.{_text(detail, source.status)}"
    if kind not in EVENT_TYPES:
        raise NotAnEvent(f"{source.status} makes it a {kind!r}, which webhooks do not send")
    # A retrain that another program requests may have no id of its own.
    identity = detail.get(source.identity) if source.identity else None
    names = [str(detail[field]) for field in source.names if detail.get(field)] if source.names else list(ALL_MODELS)
    if not names:
        raise NotAnEvent(f"{source.names[0]} is missing")
    name, *others = names
    return PlatformEvent(kind, str(identity or _text(event, "id")), name, _text(event, "time"), detail, tuple(others))


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise NotAnEvent(f"{name} must be text, and is {value!r}")
    return value
