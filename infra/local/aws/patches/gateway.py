"""API Gateway: its limits, its errors, and the event that it sends to a function."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import apigateway_v1

from infra.local.aws.internals import replace

# API Gateway's own limits, which ministack does not enforce.
INTEGRATION_SECONDS = 29.0
MAX_BODY_BYTES = 10 * 1024 * 1024

# How many requests one function answers at a time, each in an environment (a process) of its own.
ENVIRONMENTS = 8

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)


class FunctionFailed(Exception):
    """A function gave API Gateway nothing that it could answer with; carries the gateway response to use instead."""

    def __init__(self, response_type: str, status: int | None, message: str = "Internal server error") -> None:
        super().__init__(response_type)
        self.response_type = response_type
        self.status = status
        self.message = message


def responses() -> None:
    """Keep the gateway responses that SAM writes into the API's OpenAPI body; the import drops them."""

    def make(original: Callable[..., str]) -> Callable[..., str]:
        def import_rest_api(spec: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
            api_id = original(spec, base_data)
            for kind, response in (spec.get("x-amazon-apigateway-gateway-responses") or {}).items():
                status, _headers, body = apigateway_v1._put_gateway_response(api_id, kind, response)
                if status >= 400:
                    raise ValueError(f"gateway response {kind}: {json.loads(body).get('message')}")
            return api_id

        return import_rest_api

    replace(apigateway_v1, "_import_rest_api", make)


def limits() -> None:
    """Answer 413 for a body over 10 MB, and answer for a function that failed in the API's own error shape."""

    def make(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def execute_in_scope(request: dict[str, Any], api_id: str, stage: str, *rest: Any) -> Any:
            body = rest[3]
            request["stage"] = apigateway_v1._stages_v1.get(api_id, {}).get(stage)
            if request["stage"] is None:
                return await original(request, api_id, stage, *rest)
            request["request_id"] = request_id.get() or request["request_id"]
            if len(body or b"") > MAX_BODY_BYTES:
                return apigateway_v1._gw_error("REQUEST_TOO_LARGE", "Request Too Long")
            token = request_id.set(request["request_id"])
            try:
                return await original(request, api_id, stage, *rest)
            except FunctionFailed as failure:
                error = apigateway_v1._gw_error(failure.response_type, failure.message)
                status, headers, answer = apigateway_v1._gateway_error_response(error, request)
                return failure.status or status, headers, answer
            finally:
                request_id.reset(token)

        return execute_in_scope

    replace(apigateway_v1, "_execute_in_scope", make)


def concurrency() -> None:
    """Let a request wait when its function has no free environment: a hundred at once would start a hundred processes.

    One machine has neither the memory nor the cores for them. Each function has a line of its own, and the 29 s of a
    request begin when its turn comes; a later answer is 504. Only requests of the gateway wait. Events, queues and
    calls between functions do not, so no environment waits for one that waits for it.
    """
    turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(ENVIRONMENTS))

    def make(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call_lambda_raw(function: str, *args: Any, **kwargs: Any) -> Any:
            async with turns[function]:
                try:
                    return await asyncio.wait_for(original(function, *args, **kwargs), INTEGRATION_SECONDS)
                except TimeoutError:
                    raise FunctionFailed("INTEGRATION_TIMEOUT", None, "Endpoint request timed out") from None

        return call_lambda_raw

    replace(apigateway_v1, "_call_lambda_raw", make)


def function_errors() -> None:
    """Answer "Internal server error" for a function that failed, as API Gateway does, and not with its exception."""

    def make(original: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def lambda_proxy_response(result: dict[str, Any]) -> Any:
            if result.get("throttle"):
                raise FunctionFailed("INTEGRATION_FAILURE", None)
            body = result.get("body")
            if result.get("error") or not isinstance(body, dict) or "statusCode" not in body:
                raise FunctionFailed("DEFAULT_5XX", 502)
            return original(result)

        return lambda_proxy_response

    replace(apigateway_v1, "_lambda_proxy_response", make)


def lambda_event() -> None:
    """Give the event the id of the API key and the request id of the answer, and take the foreign `version` out."""

    def make(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def build_lambda_event(*args: Any, **kwargs: Any) -> dict[str, Any]:
            event = original(*args, **kwargs)
            resource, method, headers = args[3], args[5], args[6]
            # Of the other payload format.
            event.pop("version", None)
            context = event["requestContext"]
            methods = resource.get("resourceMethods", {})
            if (methods.get(method) or methods.get("ANY") or {}).get("apiKeyRequired"):
                key = apigateway_v1._resolve_api_key(apigateway_v1._api_key_from_request(headers))
                if key is not None:
                    # The value stays out: a function that logs its event must not log a working key.
                    context["identity"] |= {"apiKeyId": key["id"], "apiKey": "*" * 8}
            context["requestId"] = request_id.get() or context["requestId"]
            context["domainName"] = headers.get("host", "").split(":")[0]
            return event

        return build_lambda_event

    replace(apigateway_v1, "_build_lambda_event_v1", make)
