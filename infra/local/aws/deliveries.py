"""Asynchronous invocations of the local AWS: a bounded number at a time, tried again as Lambda does."""

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
from typing import Any

log = logging.getLogger("deliveries")

# Lambda's own numbers: two more tries, after one minute and after two. A laptop's user does not wait that long.
_RETRIES = 2
_RETRY_SECONDS = 2.0
# How long log lines gather before they are sent, and how many go together.
_GATHER_SECONDS = 0.5
_BATCH_LINES = 500

Record = dict[str, Any]


class Deliveries:
    """Calls functions for events and for log subscriptions, `width` at a time.

    `execute(record, event)` runs a function and returns its result, with `error` or `throttle` set when it failed;
    `find(name)` is a function's record or None; `give_up(record, event, result)` takes what failed every time.
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
        self._lines: dict[tuple[str, str, str, str], list[Record]] = defaultdict(list)
        self._closed = False

    def invoke(self, record: Record, event: Any) -> None:
        """Call a function for an event, soon."""
        self._submit(record, event, 0)

    def log_events(self, subscription: Mapping[str, Any], group: str, stream: str, events: list[Record]) -> None:
        """Send lines to a subscription's function, together with those of the next half second."""
        destination = subscription.get("destinationArn", "")
        name = destination.rpartition(":function:")[2].split(":")[0]
        # A function that subscribes to its own log would call itself for ever.
        if ":function:" not in destination or group == f"/aws/lambda/{name}":
            return
        key = (name, subscription.get("filterName", ""), group, stream)
        with self._lock:
            first = not self._lines
            self._lines[key] += events
        if first:
            timer = threading.Timer(_GATHER_SECONDS, self._send_lines)
            timer.daemon = True
            timer.start()

    def close(self) -> None:
        """Send what has gathered and wait for the calls under way; later events are dropped."""
        self._send_lines()
        self._closed = True
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
        # AWS sends one log stream a call. Here every invocation has a stream of its own, so streams go together.
        together: dict[tuple[str, str, str], list[tuple[str, Record]]] = defaultdict(list)
        for (name, filter_name, group, stream), events in gathered.items():
            together[name, filter_name, group] += [(stream, event) for event in events]
        for (name, filter_name, group), lines in together.items():
            record = self._find(name)
            for start in range(0, len(lines), _BATCH_LINES) if record else ():
                batch = lines[start : start + _BATCH_LINES]
                self._submit(record or {}, _subscription_event(filter_name, group, batch), 0)


def _subscription_event(filter_name: str, group: str, lines: list[tuple[str, Record]]) -> Record:
    now = int(time.time() * 1000)
    message = {
        "messageType": "DATA_MESSAGE",
        "owner": "000000000000",
        "logGroup": group,
        "logStream": lines[0][0],
        "subscriptionFilters": [filter_name],
        "logEvents": [
            {"id": uuid.uuid4().hex, "timestamp": event.get("timestamp", now), "message": event.get("message", "")}
            for _stream, event in lines
        ],
    }
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(message).encode())).decode()}}
