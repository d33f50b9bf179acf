"""Requests as API Gateway hands them to a function."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.support.tables import make_table

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
KEY_ID = "k1"
CONTEXT = SimpleNamespace(
    function_name="f",
    memory_limit_in_mb=128,
    invoked_function_arn="arn",
    aws_request_id="r",
    function_version="1",
    get_remaining_time_in_millis=lambda: 29_000,
)


def make_access_keys() -> str:
    """Make the table of API keys with one admin's in it. Return the name, which belongs in `ACCESS_KEYS_TABLE`."""
    make_table("AccessKeysTable", "keys").put_item(Item={"key_id": KEY_ID, "name": "ann", "role": "admin"})
    return "keys"


def api_event(
    method: str,
    path: str,
    body: str | None = None,
    *,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    key: str | None = KEY_ID,
) -> dict[str, Any]:
    """The event of one request; `key` is the id of the caller's API key."""
    return {
        "httpMethod": method,
        "path": path,
        "resource": path,
        "headers": {"Host": "x", **(headers or {})},
        "multiValueHeaders": {},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()} or None,
        "requestContext": {"requestId": "req-1", "identity": {"apiKeyId": key}, "stage": "v1"},
        "body": body,
        "isBase64Encoded": False,
    }


def ask(
    handler: Handler, method: str, path: str, body: dict[str, Any] | None = None, **query: str
) -> tuple[int, dict[str, Any]]:
    """Ask a function as an admin; returns the status and the body."""
    answer = handler(api_event(method, path, None if body is None else json.dumps(body), query=query), CONTEXT)
    return answer["statusCode"], json.loads(answer["body"])
