"""Refuse requests to the local AWS that are not signed with the key of the stack."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import deque
from collections.abc import MutableMapping
from typing import Any
from xml.sax.saxutils import escape

from infra.local.guard.asgi import App, Receive, Scope, Send, answer
from infra.local.guard.signatures import SHA256, Claim, Refused, Request, Verifier, read_claim

log = logging.getLogger("signed")

HEALTH = "/_ministack/health"
# Paths of the emulator that AWS does not have: one of them empties every service.
_CONTROL_PATHS = ("/_ministack", "/_localstack")
# This much of a refused body is read: a client that is cut off while it sends does not see why.
_READ_WHEN_REFUSED = 1024 * 1024


class _Gone(Exception):
    """The client closed the connection before it had sent the whole body."""


def signed_only(aws: App, verifier: Verifier, health: str = HEALTH) -> App:
    """Wrap `aws`, so that only requests signed with the key of `verifier` reach it, and the check at `health`."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "not served here"})
            return
        if scope["type"] != "http" or (scope["path"] == health and scope["method"] == "GET"):
            await aws(scope, receive, send)
            return
        claim: Claim | None = None
        body = _Body(receive)
        try:
            if scope["path"].startswith(_CONTROL_PATHS):
                raise Refused("AccessDenied", f"{scope['path']} is closed: only {health} answers.")
            claim = read_claim(_request(scope))
            verifier.check_key(claim)
            await _verify(verifier, claim, body)
        except Refused as refused:
            log.warning("refused %s %s: %s", scope["method"], scope["path"], refused.message)
            await body.drain()
            await _refuse(scope, send, claim, refused)
            return
        except _Gone:
            return
        await aws(scope, body.replay, send)

    return guarded


async def _verify(verifier: Verifier, claim: Claim, body: _Body) -> None:
    """Check the signature, if possible before the body is read, and then the body."""
    declared = claim.payload
    if declared is None:
        verifier.verify(claim, await body.read_and_hash())
        return
    verifier.verify(claim, declared)
    if not SHA256.fullmatch(declared):
        return
    if await body.read_and_hash() != declared:
        raise Refused("XAmzContentSHA256Mismatch", "The body is not the one that was signed.")


class _Body:
    """The body of a request: hashed as it comes in, and passed on as it came."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: deque[MutableMapping[str, Any]] = deque()
        self._ended = False

    async def read_and_hash(self) -> str:
        """Return the SHA-256 of the body, in hex. Raises _Gone when the client leaves before the end."""
        digest = hashlib.sha256()
        while not self._ended:
            message = await self._next()
            digest.update(message.get("body", b""))
            self._messages.append(message)
        return digest.hexdigest()

    async def drain(self) -> None:
        """Read a little of the rest, and keep nothing."""
        self._messages.clear()
        size = 0
        try:
            while not self._ended and size < _READ_WHEN_REFUSED:
                size += len((await self._next()).get("body", b""))
        except _Gone:
            pass

    async def replay(self) -> MutableMapping[str, Any]:
        """Act as ASGI's `receive`, from the beginning of the body."""
        return self._messages.popleft() if self._messages else await self._receive()

    async def _next(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._ended = True
            raise _Gone
        self._ended = not message.get("more_body", False)
        return message


def _request(scope: Scope) -> Request:
    headers = tuple((name.decode("latin-1").lower(), _text(value)) for name, value in scope["headers"])
    return Request(scope["method"], scope["raw_path"].decode("latin-1"), _text(scope["query_string"]), headers)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


async def _refuse(scope: Scope, send: Send, claim: Claim | None, refused: Refused) -> None:
    """Answer 403 in the format that the client reads: the XML of S3, that of the query services, or JSON."""
    status = 501 if refused.code == "NotImplemented" else 403
    content_type = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
    code, message = escape(refused.code), escape(refused.message)
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    if "x-www-form-urlencoded" in content_type:
        kind, body = "text/xml", f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"
    elif "json" in content_type or (claim is not None and claim.service != "s3"):
        kind, body = "application/json", json.dumps({"__type": refused.code, "message": refused.message})
    else:
        kind, body = "application/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{error}</Error>'
    headers = [("content-type", kind), ("x-amzn-errortype", refused.code)]
    await answer(scope, send, status, headers, body.encode())
