"""Serve an ASGI application on several ports, from its start to a signal that ends it."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from infra.local.guard.asgi import App, Receive, Scope, Send

Hook = Callable[[], None]


@dataclass(frozen=True)
class Hooks:
    """What happens beside the requests.

    `started` is called once the application has started, `answered` after each request. `ending` is called at the
    signal, in a thread, while the ports still answer.
    """

    started: Hook
    answered: Hook
    ending: Hook


async def serve(app: App, addresses: Sequence[str], hooks: Hooks) -> None:
    """Serve until SIGTERM or SIGINT."""
    # The gateway writes a line for each request already, and a line for each saved file is of no use.
    for name in ("hypercorn.access", "persistence"):
        logging.getLogger(name).setLevel(logging.WARNING)
    config = Config()
    config.bind = list(addresses)
    config.keep_alive_timeout = 75
    config.graceful_timeout = 3
    config.loglevel = "WARNING"
    stop = _stop_on_signal(asyncio.get_running_loop(), hooks.ending)
    application: Any = _with_hooks(app, hooks)
    await hypercorn_serve(application, config, shutdown_trigger=stop.wait)


def _stop_on_signal(loop: asyncio.AbstractEventLoop, ending: Hook) -> asyncio.Event:
    """Return an event that is set when `ending` has returned, after the first SIGTERM or SIGINT."""
    stop = asyncio.Event()
    signalled = False

    def end() -> None:
        try:
            ending()
        finally:
            loop.call_soon_threadsafe(stop.set)

    def on_signal() -> None:
        nonlocal signalled
        if not signalled:
            signalled = True
            threading.Thread(target=end, name="shutdown").start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stop


def _with_hooks(app: App, hooks: Hooks) -> App:
    async def with_hooks(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_note(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                hooks.started()
            await send(message)

        if scope["type"] == "lifespan":
            await app(scope, receive, send_and_note)
            return
        try:
            await app(scope, receive, send)
        finally:
            hooks.answered()

    return with_hooks
