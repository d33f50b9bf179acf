"""The API of the platform on a port of its own, as a custom domain of API Gateway would give it."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from ministack.services import apigateway_v1
from ministack.services.cloudformation import _stacks

from infra.local.aws.patches.gateway import MAX_BODY_BYTES
from infra.local.aws.patches.gateway import request_id as current_request_id
from infra.local.guard.asgi import App, Receive, Scope, Send, answer
from infra.local.settings import HOST, STACK_NAME

log = logging.getLogger("gateway")

# Headers of the connection: they never reach a function, and the server sets its own in answers.
_CONNECTION_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "te"})


def with_api_port(aws: App, api_port: int) -> App:
    """Let the deployed API answer the requests that arrive on `api_port`, and `aws` all others."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["server"][1] != api_port:
            await aws(scope, receive, send)
            return
        status, headers, body = await _ask_api(scope, receive)
        await answer(scope, send, status, headers, body)

    return app


async def _ask_api(scope: Scope, receive: Receive) -> tuple[int, list[tuple[str, str]], bytes]:
    request_id = str(uuid.uuid4())
    deployed = deployed_api()
    if deployed is None:
        return _problem(503, "Service Unavailable", "The stack is not deployed yet.", "not_deployed", request_id)
    api_id, stage = deployed
    body = await _read(receive)
    token = current_request_id.set(request_id)
    started = time.monotonic()
    try:
        status, headers, answered = await apigateway_v1.handle_execute(
            api_id,
            stage,
            scope["method"],
            # As it was sent: API Gateway matches and passes on the encoded path, in which a%2Fb is one segment.
            scope["raw_path"].decode("ascii"),
            _headers(scope),
            body,
            parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True),
        )
    except Exception:
        log.exception("%s %s broke in the gateway", scope["method"], scope["path"])
        detail = "Internal server error"
        return _problem(500, "Internal Server Error", detail, "internal_error", request_id)
    finally:
        current_request_id.reset(token)
    milliseconds = (time.monotonic() - started) * 1000
    log.info("%s %s %d %.1f ms %s", scope["method"], scope["path"], status, milliseconds, request_id)
    return status, _flat(headers, request_id), answered if isinstance(answered, bytes) else str(answered).encode()


def deployed_api() -> tuple[str, str] | None:
    """Find (API id, stage) of the deployed stack, in the stack itself, so that an update is followed at once."""
    stack = _stacks.get(STACK_NAME)
    for resource in ((stack or {}).get("_resources") or {}).values():
        if resource.get("ResourceType") == "AWS::ApiGateway::Stage":
            properties = resource["Properties"]
            return properties["RestApiId"], properties["StageName"]
    return None


async def _read(receive: Receive) -> bytes:
    """Read the body, up to one byte more than the gateway takes: enough for it to refuse the request."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        if size <= MAX_BODY_BYTES:
            chunks.append(chunk)
            size += len(chunk)
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return b"".join(chunks)[: MAX_BODY_BYTES + 1]


def _headers(scope: Scope) -> dict[str, str | list[str]]:
    """The headers of a request with those that API Gateway adds; a name that came more than once has a list."""
    headers: dict[str, str | list[str]] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name in _CONNECTION_HEADERS:
            continue
        if name in headers and name not in ("content-type", "accept", "host"):
            earlier = headers[name]
            headers[name] = [*(earlier if isinstance(earlier, list) else [earlier]), value]
        else:
            headers[name] = value
    client = (scope.get("client") or (HOST, 0))[0]
    # The address that the client states is not passed on: API Gateway appends the one that it saw.
    port = str(scope["server"][1])
    return {**headers, "x-forwarded-for": client, "x-forwarded-proto": "http", "x-forwarded-port": port}


def _flat(headers: Mapping[str, Any], request_id: str) -> list[tuple[str, str]]:
    flat = []
    for name, value in headers.items():
        if name.lower() not in _CONNECTION_HEADERS | {"x-amzn-requestid"}:
            flat += [(name, str(each)) for each in (value if isinstance(value, list) else [value])]
    return [*flat, ("x-amzn-requestid", request_id)]


def _problem(
    status: int, title: str, detail: str, code: str, request_id: str
) -> tuple[int, list[tuple[str, str]], bytes]:
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    headers = [("content-type", "application/problem+json"), ("x-amzn-requestid", request_id)]
    return status, headers, json.dumps(body).encode()
