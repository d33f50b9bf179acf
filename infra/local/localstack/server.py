"""LocalStack's plug-in point for its server: the two ports of the local stack, with their guards and with Batch.

Both listen on 127.0.0.1. One has AWS's services, for requests that are signed with the key of the stack; the other has
the deployed API.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import MutableMapping
from typing import Any

from localstack.aws.connect import connect_to
from localstack.runtime.server.core import RuntimeServer, RuntimeServerPlugin
from rolo.gateway import Gateway
from rolo.gateway.asgi import AsgiGateway

from infra.local.aws.serving import Hooks, serve
from infra.local.environment import stack_credentials
from infra.local.guard.asgi import App, Receive, Scope, Send, answer
from infra.local.guard.origins import own_pages_only, without_cors
from infra.local.guard.signatures import Verifier
from infra.local.guard.signed_requests import signed_only
from infra.local.localstack.batch import LocalBatch, local_batch
from infra.local.localstack.environment import ABOUT, HEALTH
from infra.local.settings import ACCOUNT, HOST, REGION, STACK_NAME, Settings

# A stack that is made anew has another API: how long the old one is asked at most.
_PLACE_SECONDS = 5.0


class ServerPlugin(RuntimeServerPlugin):  # type: ignore[misc]
    """GATEWAY_SERVER=mlops."""

    name = "mlops"

    def load(self, *args: Any, **kwargs: Any) -> RuntimeServer:
        return Server()


class Server(RuntimeServer):  # type: ignore[misc]
    """Serves until SIGTERM, then interrupts the jobs, stops LocalStack's services and ends."""

    def __init__(self) -> None:
        self._settings = Settings.from_environment()
        self._batch = local_batch()

    def register(self, gateway: Gateway, listen: Any, ssl_creds: Any = None) -> None:
        self._gateway = gateway

    def run(self) -> None:
        shutil.rmtree(self._settings.aws_tmp_dir / "jobs", ignore_errors=True)
        asyncio.run(self._serve())

    def shutdown(self) -> None:
        """`run` ends by itself: LocalStack calls this from `_end`."""

    async def _serve(self) -> None:
        gateway = _with_sender(AsgiGateway(self._gateway, event_loop=asyncio.get_running_loop()))
        verifier = Verifier(stack_credentials(self._settings))
        aws = without_cors(signed_only(_with_batch(gateway, self._batch), verifier, HEALTH))
        told = _with_about(aws, self._settings.api_port)
        app = own_pages_only(_with_api_port(told, gateway, self._settings.api_port))
        addresses = [f"{HOST}:{self._settings.aws_port}", f"{HOST}:{self._settings.api_port}"]
        hooks = Hooks(started=self._batch.scheduler.start, answered=lambda: None, ending=self._end)
        await serve(app, addresses, hooks)

    def _end(self) -> None:
        from localstack.runtime import get_current_runtime

        # The jobs go first, while there is still an AWS to write their checkpoints to.
        self._batch.scheduler.stop()
        get_current_runtime().shutdown()


class _Sender:
    """An owner for `send`: LocalStack's gateway asks it whether the connection is closed."""

    closed = False

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self._send(message)


def _with_sender(gateway: App) -> App:
    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await gateway(scope, receive, _Sender(send).send)

    return served


def _with_batch(aws: App, batch: LocalBatch) -> App:
    """`aws`, with our Batch for the requests that are signed for it."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        signature = dict(scope.get("headers", ())).get(b"authorization", b"")
        if scope["type"] != "http" or b"/batch/aws4_request" not in signature:
            await aws(scope, receive, send)
            return
        body = await _read(receive)
        status, document = await asyncio.to_thread(batch.service.handle, scope["method"], scope["path"], body)
        headers = [("content-type", "application/json"), ("x-amzn-errortype", document.get("code", ""))]
        await answer(scope, send, status, headers[: 2 if status >= 400 else 1], json.dumps(document).encode())

    return served


def _with_about(aws: App, api_port: int) -> App:
    """`aws`, and an answer to whoever wants to know whether this LocalStack can have a stack."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["method"], scope["path"]) == ("GET", ABOUT):
            content = json.dumps({"api_port": api_port}).encode()
            await answer(scope, send, 200, [("content-type", "application/json")], content)
            return
        await aws(scope, receive, send)

    return served


def _with_api_port(aws: App, gateway: App, port: int) -> App:
    """Let the deployed API answer the requests that arrive on `port`, and `aws` all others."""
    place: str | None = None
    look_at = 0.0

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["server"][1] != port:
            await aws(scope, receive, send)
            return
        nonlocal place, look_at
        if time.monotonic() > look_at:
            place = await asyncio.to_thread(_deployed_api)
            look_at = time.monotonic() + (_PLACE_SECONDS if place else 0)
        if place is None:
            problem = {"status": 503, "title": "Service Unavailable", "code": "not_deployed"}
            problem |= {"type": "about:blank", "detail": "The stack is not deployed yet."}
            headers = [("content-type", "application/problem+json")]
            await answer(scope, send, 503, headers, json.dumps(problem).encode())
            return
        # As it was sent: API Gateway matches and passes on the encoded path, in which a%2Fb is one segment.
        moved = {"path": place + scope["path"], "raw_path": place.encode() + scope["raw_path"]}
        await gateway({**scope, **moved}, receive, send)

    return served


def _deployed_api() -> str | None:
    """The path of the deployed stack's API on LocalStack's own port; None before it is deployed."""
    cloudformation = connect_to(aws_access_key_id=ACCOUNT, region_name=REGION).cloudformation
    try:
        (stack,) = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    except cloudformation.exceptions.ClientError:
        return None
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", ())}
    return f"/_aws/execute-api/{outputs['ApiId']}/{outputs['ApiStage']}" if "ApiId" in outputs else None


async def _read(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)
