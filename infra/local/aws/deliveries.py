"""Asynchronous invocations of the local AWS: a bounded number at a time, retried as Lambda does."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ministack.services import lambda_svc

from infra.local.settings import ACCOUNT

log = logging.getLogger("deliveries")

# Lambda retries twice, after one minute and after two. On a laptop nobody waits that long.
_RETRIES = 2
_RETRY_SECONDS = 2.0
# How long log lines gather before they are sent, and how many are sent together.
_GATHER_SECONDS = 0.5
_BATCH_LINES = 500

Record = dict[str, Any]
"""A function, an event or a result, as ministack has it."""


@dataclass(frozen=True)
class Subscription:
    """Where the lines of a log group go: a filter, and the function that it calls."""

    function: str
    filter_name: str
    group: str


@dataclass(frozen=True)
class Line:
    """A line on its way to subscriptions."""

    stream: str
    timestamp: int
    message: str


class Deliveries:
    """Calls functions for events and for log subscriptions, `width` at a time.

    `execute(record, event)` runs a function and returns its result, with `error` or `throttle` set when it failed.
    `find(name)` returns the record of a function or None. `give_up(record, event, result)` is called for an event that
    failed every time.
    """

    def __init__(
        self,
        execute: Callable[[Record, Any], Record],
        find: Callable[[str], Record | None],
        give_up: Callable[[Record, Any, Record], None],
        *,
        width: int = 4,
    ) -> None:
        self._execute = execute
        self._find = find
        self._give_up = give_up
        self._pool = ThreadPoolExecutor(width, thread_name_prefix="delivery")
        self._lock = threading.Lock()
        self._lines: dict[Subscription, list[Line]] = defaultdict(list)

    def invoke(self, record: Record, event: Any) -> None:
        """Call a function for an event, soon."""
        self._submit(record, event, 0)

    def log_events(self, subscription: Mapping[str, Any], group: str, stream: str, events: list[Record]) -> None:
        """Send lines to the function of a subscription, together with those of the next half second."""
        destination = subscription.get("destinationArn", "")
        name = destination.rpartition(":function:")[2].split(":")[0]
        # A function that subscribes to its own log would call itself for ever.
        if ":function:" not in destination or group == f"/aws/lambda/{name}":
            return
        now = int(time.time() * 1000)
        lines = [Line(stream, event.get("timestamp", now), event.get("message", "")) for event in events]
        with self._lock:
            first = not self._lines
            # Here every invocation has a log stream of its own, so the lines of all streams go together.
            self._lines[Subscription(name, subscription.get("filterName", ""), group)] += lines
        if first:
            timer = threading.Timer(_GATHER_SECONDS, self._send_lines)
            timer.daemon = True
            timer.start()

    def close(self) -> None:
        """Send the lines that have gathered and wait for the calls under way; later events are dropped."""
        self._send_lines()
        self._pool.shutdown(wait=True, cancel_futures=False)

    def _submit(self, record: Record, event: Any, attempt: int) -> None:
        # The pool refuses work once the stack is going down.
        with suppress(RuntimeError):
            self._pool.submit(self._call, record, event, attempt)

    def _call(self, record: Record, event: Any, attempt: int) -> None:
        try:
            result = self._execute(record, event)
        except Exception:
            log.exception("an asynchronous invocation broke")
            return
        if not result.get("error") and not result.get("throttle"):
            return
        if attempt < _RETRIES:
            timer = threading.Timer(_RETRY_SECONDS * (attempt + 1), self._submit, (record, event, attempt + 1))
            timer.daemon = True
            timer.start()
        else:
            self._give_up(record, event, result)

    def _send_lines(self) -> None:
        with self._lock:
            gathered, self._lines = self._lines, defaultdict(list)
        for subscription, lines in gathered.items():
            record = self._find(subscription.function)
            if record is None:
                continue
            for start in range(0, len(lines), _BATCH_LINES):
                self._submit(record, _subscription_event(subscription, lines[start : start + _BATCH_LINES]), 0)


def _subscription_event(subscription: Subscription, lines: list[Line]) -> Record:
    message = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": subscription.group,
        "logStream": lines[0].stream,
        "subscriptionFilters": [subscription.filter_name],
        "logEvents": [{"id": uuid.uuid4().hex, "timestamp": line.timestamp, "message": line.message} for line in lines],
    }
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(message).encode())).decode()}}


def send_to_failure_destination(function: Record, event: Any, result: Record) -> None:
    """Hand an event that failed on every try to the function's failure destination, if it has one."""
    config = function.get("config") or function
    name = config.get("FunctionName", "")
    log.warning("%s failed on every try of an event: %s", name, result.get("body"))
    invoke = function.get("event_invoke_config") or (function.get("event_invoke_configs") or {}).get("$LATEST") or {}
    on_failure = (invoke.get("DestinationConfig") or {}).get("OnFailure") or {}
    destination = on_failure.get("Destination") or (config.get("DeadLetterConfig") or {}).get("TargetArn")
    if destination:
        lambda_svc._run_with_function_config_scope(
            config, lambda_svc._route_async_failure, destination, name, event, result
        )
