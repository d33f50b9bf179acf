"""Saves the state of the local AWS while it runs, so that a kill loses next to nothing."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ministack import app
from ministack.core import persistence as ministack
from ministack.services import cloudwatch_logs
from ministack.services.cloudformation import _stacks

log = logging.getLogger("saver")

# How soon the changes of a client are on disk; what the services change on their own is saved when there is time.
_PAUSE_SECONDS = 0.5
_WHOLE_SECONDS = 5.0
_AT_REST_SECONDS = 30.0
# The share of a core that saving may take when the state has grown: for what clients changed, and for everything.
_SHARE, _WHOLE_SHARE = 0.2, 0.05
# Every invocation has a log stream of its own, and ministack trims none.
_STREAMS_KEPT = 500


class Saver:
    """Writes the state of each service when it has changed, in a thread that rests while nobody sends requests."""

    def __init__(self) -> None:
        self._written: dict[str, int] = {}
        self._touched: set[str] = set()
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="saver", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def asked(self) -> None:
        """Note that a request may have changed something anywhere."""
        self._asked.set()

    def touched(self, service: str) -> None:
        """Note that a client has called this service, so that its state is saved first."""
        with self._lock:
            self._touched.add(service)
        self._asked.set()

    def stop(self) -> None:
        """Stop saving; the shutdown saves everything once more."""
        self._stop.set()
        self._asked.set()
        self._thread.join(30)

    def _run(self) -> None:
        pause, whole_due, owed = _PAUSE_SECONDS, 0.0, False
        while not self._stop.wait(pause):
            # Schedules and queues change a little on their own.
            self._asked.wait(max(0.0, whole_due - time.monotonic()) if owed else _AT_REST_SECONDS)
            self._asked.clear()
            with self._lock:
                touched, self._touched = self._touched, set()
            services = app._build_persistence_save_dict()
            keys = _state_keys(touched)
            started = time.thread_time()
            self.save({key: services[key] for key in keys & services.keys()})
            done = time.thread_time()
            pause = max(_PAUSE_SECONDS, (done - started) / _SHARE)
            # A stack's resources are made behind the services' backs.
            owed = time.monotonic() < whole_due and "cloudformation" not in touched
            if not owed:
                _trim_logs()
                self.save(services)
                spent = time.thread_time() - done
                whole_due = time.monotonic() + max(_WHOLE_SECONDS, spent / _WHOLE_SHARE)

    def save(self, services: Mapping[str, Callable[[], Any]]) -> None:
        """Write the state of every service that differs from what was written last."""
        for name, get_state in services.items():
            try:
                state = get_state()
                seen = hash(json.dumps(state, default=ministack._json_default))
            except RuntimeError:
                # It changed while it was read: the next round saves it.
                continue
            except Exception:
                log.exception("the state of %s cannot be saved", name)
                continue
            if state is not None and self._written.get(name) != seen:
                ministack.save_state(name, state)
                self._written[name] = seen


def _state_keys(services: Iterable[str]) -> set[str]:
    """The names under which the modules of these services save their state."""
    modules = set()
    for name in services:
        entry = app.SERVICE_REGISTRY.get(name, {})
        modules |= {entry.get("module"), *entry.get("sub_modules", ())}
    return {key for key, module in app._state_map.items() if module in modules}


def finish_interrupted_stacks() -> None:
    """Mark the stack operations that were under way when the process died as failed: nobody else would end them."""
    endings = {
        "CREATE_IN_PROGRESS": "CREATE_FAILED",
        "UPDATE_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
        "ROLLBACK_IN_PROGRESS": "ROLLBACK_FAILED",
        "DELETE_IN_PROGRESS": "DELETE_FAILED",
    }
    for stack in _stacks.values():
        ending = endings.get(stack.get("StackStatus", ""))
        if ending:
            stack["StackStatus"] = ending
            stack["StackStatusReason"] = "The local AWS stopped during this operation"


def _trim_logs() -> None:
    for group in list(cloudwatch_logs._log_groups._data.values()):
        streams = group.get("streams", {})
        for name in list(streams)[: max(0, len(streams) - _STREAMS_KEPT)]:
            streams.pop(name, None)
