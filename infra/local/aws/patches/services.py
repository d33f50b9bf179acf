"""The other services: Batch, EventBridge, CloudWatch Logs, SQS, S3, and what is saved of them."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ministack import app
from ministack.services import batch as ministack_batch
from ministack.services import cloudwatch_logs, eventbridge, lambda_svc, s3, sqs
from ministack.services.cloudformation import provisioners

from infra.local.aws.batch.cloudformation import resource_handlers
from infra.local.aws.batch.service import BatchService
from infra.local.aws.deliveries import Deliveries
from infra.local.aws.internals import replace


def batch(service: BatchService) -> None:
    """Run Batch jobs, and let stacks hold AWS::Batch types; upstream answers SUCCEEDED at once and runs nothing."""

    async def handle(method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]) -> Any:
        status, answer = service.handle(method, path, body)
        return status, {"Content-Type": "application/json"}, json.dumps(answer).encode()

    replace(ministack_batch, "handle_request", lambda original: handle)
    replace(provisioners, "_RESOURCE_HANDLERS", lambda table: _updated(table, resource_handlers(service.resources)))


def function_variables() -> None:
    """Make text of the numbers and booleans among the variables of a stack's functions, as CloudFormation does.

    Upstream keeps them as they are in the template, and no process starts with a variable that is a number.
    """
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]

    def with_text(action: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **named: action(*map(_with_text_variables, arguments), **named)

    changed = {**handlers, **{name: with_text(handlers[name]) for name in ("create", "update")}}
    replace(provisioners, "_RESOURCE_HANDLERS", lambda table: _updated(table, {"AWS::Lambda::Function": changed}))


def event_deliveries(deliveries: Deliveries) -> None:
    """Deliver a bounded number of events at a time, and try failed ones again.

    Upstream starts a thread for each event and, at need, a process. So a sweep's hundreds of job events would start
    hundreds of processes at once.
    """

    def dispatch_to_lambda(arn: str, payload: str) -> None:
        function, config, _name = lambda_svc._get_func_record_for_ref(arn)
        if function and config:
            deliveries.invoke(lambda_svc._execution_record_for_config(function, config), json.loads(payload))

    replace(eventbridge, "_dispatch_to_lambda", lambda original: dispatch_to_lambda)


def log_deliveries(deliveries: Deliveries) -> None:
    """Send log lines to a subscription in batches, as AWS does; upstream calls the function once for each line."""

    def fan_out(group: str, stream: str, events: list[dict[str, Any]]) -> None:
        subscriptions = (cloudwatch_logs._log_groups.get(group) or {}).get("subscriptionFilters") or {}
        for subscription in subscriptions.values():
            pattern = subscription.get("filterPattern", "")
            matched = [e for e in events if cloudwatch_logs._subscription_pattern_matches(pattern, e.get("message"))]
            if matched:
                deliveries.log_events(subscription, group, stream, matched)

    replace(cloudwatch_logs, "_fanout_to_subscription_filters", lambda original: fan_out)


def messages_in_flight() -> None:
    """Show messages in flight again at the start: whoever had received them ended with the last process.

    Otherwise they stay invisible for the visibility timeout of their queue, and hold up their message group.
    """

    def make(original: Callable[[Any], None]) -> Callable[[Any], None]:
        def load_persisted_state(data: Any) -> None:
            original(data)
            now = time.time()
            for sqs_queue in sqs._queues._data.values():
                for message in sqs_queue["messages"]:
                    # A delayed message has not been received, and goes on waiting.
                    if message.get("receive_count", 0) and message.get("visible_at", now) > now:
                        message["visible_at"] = now

        return load_persisted_state

    replace(sqs, "load_persisted_state", make)


def ranges_of_versions() -> None:
    """Send the part of an object that was asked for, also of a version by its id; upstream sends all of it then."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def get_object(bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None = None) -> Any:
            status, answered, body = original(bucket, key, headers, query)
            wanted = s3._parse_range(headers.get("range", ""), len(body)) if status == 200 else None
            if wanted is None:
                return status, answered, body
            start, end = wanted
            part = body[start : end + 1]
            # A checksum would be of the whole.
            kept = {name: value for name, value in answered.items() if not name.lower().startswith("x-amz-checksum")}
            length = {"Content-Length": str(len(part)), "Content-Range": f"bytes {start}-{end}/{len(body)}"}
            return 206, {**kept, **length}, part

        return get_object

    replace(s3, "_get_object", make)


def changes(touched: Callable[[str], None]) -> None:
    """Tell `touched` which service a client has called, so that it is saved soon; upstream saves at shutdown only."""

    def watched(name: str, handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def handle(*args: Any) -> Any:
            try:
                return await handler(*args)
            finally:
                touched(name)

        return handle

    def make(table: dict[str, Any]) -> dict[str, Any]:
        return _updated(table, {name: watched(name, handler) for name, handler in table.items()})

    replace(app, "SERVICE_HANDLERS", make)


def _with_text_variables(argument: Any) -> Any:
    """The properties of a function with text for variables; any other argument as it is."""
    if not isinstance(argument, dict) or not (variables := argument.get("Environment", {}).get("Variables")):
        return argument
    text = {name: value if isinstance(value, str) else json.dumps(value) for name, value in variables.items()}
    return {**argument, "Environment": {**argument["Environment"], "Variables": text}}


def _updated(table: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    # In place: other modules hold the same table.
    table.update(more)
    return table
