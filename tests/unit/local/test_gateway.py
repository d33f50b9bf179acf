"""The API at its own port: what it passes on is what API Gateway would."""

import asyncio
from typing import Any

from infra.local.aws import gateway


def test_the_path_is_passed_on_as_it_was_sent(monkeypatch):
    passed: list[str] = []

    async def handle(api_id: str, stage: str, method: str, path: str, *_: Any) -> tuple[int, dict[str, str], bytes]:
        passed.append(path)
        return 200, {}, b"{}"

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    monkeypatch.setattr(gateway.apigateway_v1, "handle_execute", handle)
    monkeypatch.setattr(gateway, "deployed_api", lambda: ("api", "v1"))
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/experiments/a/b ü",
        "raw_path": b"/experiments/a%2Fb%20%C3%BC",
        "query_string": b"",
        "headers": [],
        "server": ("127.0.0.1", 8000),
    }
    status, _, _ = asyncio.run(gateway._ask_api(scope, receive))
    assert (status, passed) == (200, ["/experiments/a%2Fb%20%C3%BC"]), "API Gateway matches the encoded path"
