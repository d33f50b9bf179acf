"""Refuse what a browser sends for a page of another site; programs and the server's own pages are answered.

A browser lets a page of any site send requests to 127.0.0.1. Three headers that the page cannot set show it: `Host` has
the name in the address (DNS rebinding gives a foreign name the address of this machine), `Origin` names the server of
the page, and `Sec-Fetch-Site` relates the two (https://www.w3.org/TR/fetch-metadata/).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, MutableMapping
from typing import Any

from infra.local.guard.asgi import App, Receive, Scope, Send, answer

log = logging.getLogger("origins")

# With any port: a forwarded port (`ssh -L`) is another one, and a foreign page cannot choose the name.
_THIS_MACHINE = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_OWN_SITES = frozenset({"same-origin", "none"})

Headers = Iterable[tuple[bytes, bytes]]


def own_pages_only(app: App) -> App:
    """Wrap `app`, so that a request from a page of another site is refused with 403."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        reason = None if scope["type"] == "lifespan" else refusal(scope.get("method", "GET"), scope["headers"])
        if reason is None:
            await app(scope, receive, send)
            return
        log.warning("refused %s %s: %s", scope.get("method", scope["type"]), scope["path"], reason)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
            return
        problem = {
            "type": "about:blank",
            "title": "Forbidden",
            "status": 403,
            "detail": reason,
            "code": "foreign_origin",
        }
        headers = [("content-type", "application/problem+json")]
        await answer(scope, send, 403, headers, json.dumps(problem).encode())

    return guarded


def without_cors(app: App) -> App:
    """Wrap `app`, and drop the `Access-Control-*` headers, which would let pages of other sites read its answers."""

    async def stripped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_stripped(message: MutableMapping[str, Any]) -> None:
            if "headers" in message:
                kept = [pair for pair in message["headers"] if not pair[0].lower().startswith(b"access-control-")]
                message = {**message, "headers": kept}
            await send(message)

        await app(scope, receive, send_stripped)

    return stripped


def refusal(method: str, headers: Headers) -> str | None:
    """Say why a request with these headers is refused; None for one that may pass."""
    hosts = _values(headers, b"host")
    if len(hosts) != 1 or not _THIS_MACHINE.fullmatch(hosts[0]):
        named = ", ".join(hosts) or "nothing"
        return f"The Host header is {named}: use http://localhost or http://127.0.0.1 with the port of this server."
    foreign = [origin for origin in _values(headers, b"origin") if origin.lower() != f"http://{hosts[0]}".lower()]
    if foreign:
        return f"The request comes from a page of {foreign[0]}: this server answers programs and its own pages only."
    sites = _values(headers, b"sec-fetch-site")
    if not _OWN_SITES.issuperset(sites) and not _is_visit(method, headers):
        return "The request comes from a page of another site: this server answers programs and its own pages only."
    return None


def _is_visit(method: str, headers: Headers) -> bool:
    """Whether a person follows a link to here in a tab of its own: the page with the link does not see the answer."""
    fetch = _values(headers, b"sec-fetch-mode"), _values(headers, b"sec-fetch-dest")
    return method in ("GET", "HEAD") and fetch == (["navigate"], ["document"])


def _values(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for header, value in headers if header.lower() == name]
