"""What the local AWS lacks and the platform needs: few changes to ministack, each with its reason.

Everything replaced is looked up by name first, so that another version of ministack fails at start-up and says which
name is gone, rather than behave differently in silence.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import queue
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ministack import app
from ministack.core import lambda_runtime
from ministack.services import apigateway_v1, batch, cloudwatch_logs, eventbridge, lambda_svc
from ministack.services.cloudformation import provisioners

from infra.local.aws import internals
from infra.local.aws.batch.cloudformation import resource_handlers
from infra.local.aws.batch.service import BatchService
from infra.local.aws.deliveries import Deliveries
from infra.local.credentials import Credentials

# API Gateway's own limits, which ministack does not enforce.
INTEGRATION_SECONDS = 29.0
MAX_BODY_BYTES = 10 * 1024 * 1024

# How many requests one function answers at a time, each in an environment (a process) of its own.
ENVIRONMENTS = 8

END_OF_INVOCATION = "\x1emlops-end-of-invocation"

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)


class FunctionFailed(Exception):
    """A function gave API Gateway nothing it could answer with; carries the gateway response to use instead."""

    def __init__(self, response_type: str, status: int | None, message: str = "Internal server error") -> None:
        super().__init__(response_type)
        self.response_type = response_type
        self.status = status
        self.message = message


def apply(
    batch_service: BatchService, deliveries: Deliveries, touched: Callable[[str], None], credentials: Credentials
) -> None:
    """Make all changes. Raises RuntimeError naming what this version of ministack does not have."""
    internals.check()
    _batch(batch_service)
    _gateway_responses()
    _gateway_limits()
    _turns()
    _function_errors()
    _lambda_event()
    _end_of_invocation()
    _event_deliveries(deliveries)
    _log_deliveries(deliveries)
    _changes(touched)
    _function_credentials(credentials)


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    if not hasattr(owner, name):
        raise internals.missing(owner.__name__, name)
    setattr(owner, name, make(getattr(owner, name)))


def _batch(service: BatchService) -> None:
    """Batch answers SUCCEEDED at once and runs nothing, and stacks cannot hold AWS::Batch types."""

    async def handle(method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]) -> Any:
        status, answer = service.handle(method, path, body, query)
        return status, {"Content-Type": "application/json"}, json.dumps(answer).encode()

    _replace(batch, "handle_request", lambda original: handle)
    _replace(provisioners, "_RESOURCE_HANDLERS", lambda table: _updated(table, resource_handlers(service)))


def _updated(table: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    # In place: other modules hold the same table.
    table.update(more)
    return table


def _gateway_responses() -> None:
    """The gateway responses SAM writes into the API's OpenAPI body are dropped at import."""

    def make(original: Callable[..., str]) -> Callable[..., str]:
        def import_rest_api(spec: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
            api_id = original(spec, base_data)
            for kind, response in (spec.get("x-amazon-apigateway-gateway-responses") or {}).items():
                status, _headers, body = apigateway_v1._put_gateway_response(api_id, kind, response)
                if status >= 400:
                    raise ValueError(f"gateway response {kind}: {json.loads(body).get('message')}")
            return api_id

        return import_rest_api

    _replace(apigateway_v1, "_put_gateway_response", lambda original: original)
    _replace(apigateway_v1, "_import_rest_api", make)


def _gateway_limits() -> None:
    """A body over 10 MB is 413, and what a function does wrong is answered in the API's own error shape."""
    _replace(apigateway_v1, "_gw_error", lambda original: original)
    _replace(apigateway_v1, "_gateway_error_response", lambda original: original)

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

    _replace(apigateway_v1, "_stages_v1", lambda original: original)
    _replace(apigateway_v1, "_execute_in_scope", make)


def _turns() -> None:
    """Every request beyond a function's idle environments starts one more: a hundred at once, a hundred processes.

    A machine of our own has neither the memory nor the cores, so they wait in line, a line a function, and each has its
    29 s from its turn on; an answer later than that is 504. Only the gateway's requests wait: events, queues and what
    one function asks of another take no turn, so nobody waits for an environment that waits for him.
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

    _replace(apigateway_v1, "_call_lambda_raw", make)


def _function_errors() -> None:
    """A function that fails shows its exception to the caller; API Gateway says "Internal server error"."""

    def make(original: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def lambda_proxy_response(result: dict[str, Any]) -> Any:
            if result.get("throttle"):
                raise FunctionFailed("INTEGRATION_FAILURE", None)
            body = result.get("body")
            if result.get("error") or not isinstance(body, dict) or "statusCode" not in body:
                raise FunctionFailed("DEFAULT_5XX", 502)
            return original(result)

        return lambda_proxy_response

    _replace(apigateway_v1, "_lambda_proxy_response", make)


def _lambda_event() -> None:
    """The event lacks the API key's id, has a `version` of the other payload format, and names another request id."""
    _replace(apigateway_v1, "_resolve_api_key", lambda original: original)
    _replace(apigateway_v1, "_api_key_from_request", lambda original: original)

    def make(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def build_lambda_event(*args: Any, **kwargs: Any) -> dict[str, Any]:
            event = original(*args, **kwargs)
            resource, method, headers = args[3], args[5], args[6]
            event.pop("version", None)
            context = event["requestContext"]
            methods = resource.get("resourceMethods", {})
            if (methods.get(method) or methods.get("ANY") or {}).get("apiKeyRequired"):
                key = apigateway_v1._resolve_api_key(apigateway_v1._api_key_from_request(headers))
                if key is not None:
                    # The value stays out: what a function logs of its event must not hold a working key.
                    context["identity"] |= {"apiKeyId": key["id"], "apiKey": "*" * 8}
            context["requestId"] = request_id.get() or context["requestId"]
            context["domainName"] = headers.get("host", "").split(":")[0]
            return event

        return build_lambda_event

    _replace(apigateway_v1, "_build_lambda_event_v1", make)


def _end_of_invocation() -> None:
    """After each call ministack waits up to 50 ms for log lines, and may miss those that come later.

    The worker writes a last line of its own to stderr when the handler has returned, so that a silent function is
    answered at once and a talkative one loses nothing.
    """
    ending = "        _real_stdout.flush()\n\nrun()\n"
    mark = f"        sys.stderr.flush()\n        os.write(2, {END_OF_INVOCATION!r}.encode() + b'\\n')\n"

    def script(original: str) -> str:
        if original.count(ending) != 1:
            raise RuntimeError("ministack's Python worker does not end as expected: use the pinned version")
        return original.replace(ending, mark + ending)

    _replace(lambda_runtime, "_PYTHON_WORKER_SCRIPT", script)

    def make(original: Callable[..., str]) -> Callable[..., str]:
        def drain(self: Any, first_line_wait: float = 0.05, idle_confirm: float = 0.005, hard_cap: float = 0.25) -> str:
            if type(self) is not lambda_runtime.Worker:
                return original(self, first_line_wait, idle_confirm, hard_cap)
            lines: list[str] = []
            deadline = time.monotonic() + hard_cap
            while (left := deadline - time.monotonic()) > 0:
                try:
                    line = self._stderr_queue.get(timeout=left)
                except queue.Empty:
                    break
                if line.endswith(END_OF_INVOCATION):
                    unfinished = line.removesuffix(END_OF_INVOCATION)
                    lines += [unfinished] if unfinished else []
                    break
                lines.append(line)
            return "\n".join(lines)

        return drain

    _replace(lambda_runtime.Worker, "_drain_stderr_bounded", make)


def _event_deliveries(deliveries: Deliveries) -> None:
    """Each event starts a thread and, at need, a function process of its own, and is never tried again.

    A sweep's hundreds of job events would start hundreds of processes at once.
    """
    _replace(lambda_svc, "_get_func_record_for_ref", lambda original: original)
    _replace(lambda_svc, "_execution_record_for_config", lambda original: original)

    def dispatch_to_lambda(arn: str, payload: str) -> None:
        function, config, _name = lambda_svc._get_func_record_for_ref(arn)
        if function and config:
            deliveries.invoke(lambda_svc._execution_record_for_config(function, config), json.loads(payload))

    _replace(eventbridge, "_dispatch_to_lambda", lambda original: dispatch_to_lambda)


def _log_deliveries(deliveries: Deliveries) -> None:
    """A log subscription calls its function once a line, each in a thread of its own, where AWS sends batches."""
    _replace(cloudwatch_logs, "_subscription_pattern_matches", lambda original: original)

    def fan_out(group: str, stream: str, events: list[dict[str, Any]]) -> None:
        found = cloudwatch_logs._log_groups.get(group)
        for subscription in ((found or {}).get("subscriptionFilters") or {}).values():
            pattern = subscription.get("filterPattern", "")
            matched = [e for e in events if cloudwatch_logs._subscription_pattern_matches(pattern, e.get("message"))]
            if matched:
                deliveries.log_events(subscription, group, stream, matched)

    _replace(cloudwatch_logs, "_fanout_to_subscription_filters", lambda original: fan_out)


def _changes(touched: Callable[[str], None]) -> None:
    """State is saved at shutdown alone; `touched` learns which service a client has called, to save it at once."""

    def watched(name: str, handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def handle(*args: Any) -> Any:
            try:
                return await handler(*args)
            finally:
                touched(name)

        return handle

    def make(table: dict[str, Any]) -> dict[str, Any]:
        return _updated(table, {name: watched(name, handler) for name, handler in table.items()})

    for name in ("SERVICE_REGISTRY", "_state_map", "_build_persistence_save_dict"):
        _replace(app, name, lambda original: original)
    _replace(app, "SERVICE_HANDLERS", make)


def _function_credentials(credentials: Credentials) -> None:
    """A function's access key is the account's number, with which it could sign nothing that is let in here."""
    own = {**credentials.to_environment(), "AWS_SESSION_TOKEN": ""}
    for module in (lambda_runtime, lambda_svc):
        _replace(module, "execution_credentials", lambda original: lambda config: own)
