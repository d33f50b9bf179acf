"""Idempotency-Key: a request that is sent twice is carried out once, and both get the same response."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyValidationError,
)

from mlops.domain.errors import Conflict, IdempotencyConflict

KEPT_SECONDS = 24 * 3600


def once(
    action: Callable[[], dict[str, Any]],
    *,
    caller: str,
    route: str,
    key: str | None,
    body: dict[str, Any],
    context: Any,
) -> dict[str, Any]:
    """Carry out `action`, unless this caller has sent `key` to this route in the last 24 hours.

    Args:
        action: What the request does.
        caller: The name of the API key. Two callers may use the same `key`.
        route: Names the route. Two routes may get the same `key`.
        key: The caller's Idempotency-Key; None carries out `action` in any case.
        body: The request's body, which must be the same each time.
        context: Lambda's context, which says how much time is left.

    Returns:
        The result of `action`, or that of the first request.

    Raises:
        IdempotencyConflict: the first request with this key had another body.
        Conflict: the first request with this key has not ended yet.
    """
    if key is None:
        return action()
    config = IdempotencyConfig(
        event_key_jmespath="key", payload_validation_jmespath="body", expires_after_seconds=KEPT_SECONDS
    )
    config.register_lambda_context(context)

    @idempotent_function(  # type: ignore[untyped-decorator]
        data_keyword_argument="request", config=config, persistence_store=_store()
    )
    def carry_out(request: dict[str, Any]) -> dict[str, Any]:
        return action()

    try:
        answer: dict[str, Any] = carry_out(request={"key": [route, caller, key], "body": body})
    except IdempotencyValidationError as error:
        raise IdempotencyConflict(
            "This Idempotency-Key was sent with another body before; send a new key with a new request"
        ) from error
    except IdempotencyAlreadyInProgressError as error:
        raise Conflict(
            "The first request with this Idempotency-Key has not ended yet; try again in a moment"
        ) from error
    return answer


@cache
def _store() -> DynamoDBPersistenceLayer:
    return DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"], key_attr="id")
