"""The body of a message, in the format that a webhook asks for."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from mlops.domain.webhooks.event import TEST, PlatformEvent
from mlops.domain.webhooks.webhook import Format


def body_of(event: PlatformEvent, form: Format) -> bytes:
    """Return the body of an event's message: the same bytes each time."""
    return json.dumps(_FORMATS[form](event), ensure_ascii=False, separators=(",", ":")).encode()


def _standard(event: PlatformEvent) -> dict[str, Any]:
    return {"type": event.type, "timestamp": event.timestamp, "data": dict(event.data)}


def _slack(event: PlatformEvent) -> dict[str, Any]:
    return {"text": text_of(event)}


_FORMATS: dict[Format, Callable[[PlatformEvent], dict[str, Any]]] = {"standard": _standard, "slack": _slack}
"""One of a later version of the platform is an error, and its messages wait until that version is back."""


def text_of(event: PlatformEvent) -> str:
    """Return an event as one line for people, in Slack's markup."""
    write = _TEXTS[event.type.partition(".")[0]]
    # The characters that Slack gives a meaning; names and reasons come from callers.
    return write(event, event.data).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _transition(event: PlatformEvent, data: Mapping[str, Any]) -> str:
    told = f"{event.name} version {data.get('version')} to {data.get('stage')}: {data.get('status')}"
    return _with_reason(told, data.get("error") or data.get("reason"))


def _rollout(event: PlatformEvent, data: Mapping[str, Any]) -> str:
    what = event.type.partition(".")[2].replace("_", " ")
    told = f"Rollout of {event.name} version {data.get('version')}: {what}"
    return _with_reason(told, data.get("note") or data.get("reason"))


_WATCHED = {
    "drift.alert": "Drift alert",
    "drift.recovered": "Drift is over",
    "performance.alert": "Performance alert",
    "performance.recovered": "Performance has recovered",
}


def _watched(event: PlatformEvent, data: Mapping[str, Any]) -> str:
    told = f"{_WATCHED[event.type]}: {event.name} version {data.get('model_version')}"
    return _with_reason(told, data.get("message"))


def _approval(event: PlatformEvent, data: Mapping[str, Any]) -> str:
    what = "rollout of " if data.get("rollout_id") else ""
    told = f"{what}{event.name} version {data.get('version')} to {data.get('stage')} waits for approval"
    return _with_reason(f"{told}, asked for by {data.get('actor')}", data.get("reason"))


def _retrain(event: PlatformEvent, data: Mapping[str, Any]) -> str:
    return _with_reason(f"Retrain of {event.name} requested", data.get("reason"))


def _job(event: PlatformEvent, data: Mapping[str, Any]) -> str:
    return _with_reason(f"{event.identity} ({event.name}): {data.get('status')}", data.get("error"))


def _cleanup(event: PlatformEvent, data: Mapping[str, Any]) -> str:
    done = ", ".join(f"{name} {data.get(name, 0)}" for name in ("binned", "purged", "removed", "failed"))
    return f"The weekly cleanup has ended: {done}, {data.get('freed_bytes', 0):,} bytes freed"


def _test(event: PlatformEvent, data: Mapping[str, Any]) -> str:
    return f"Test of the webhook {data.get('webhook_id')}, asked for by {data.get('actor')}"


def _with_reason(told: str, reason: Any) -> str:
    return f"{told} ({reason})" if reason else told


_TEXTS: dict[str, Callable[[PlatformEvent, Mapping[str, Any]], str]] = {
    "transition": _transition,
    "rollout": _rollout,
    "drift": _watched,
    "performance": _watched,
    "approval": _approval,
    "retrain": _retrain,
    "job": _job,
    "sweep": _job,
    "batch_prediction": _job,
    "cleanup": _cleanup,
    TEST.partition(".")[0]: _test,
}
