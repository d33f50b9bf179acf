"""Idempotency-Key: carry out a request once, even if it is sent twice, and return the same response to both."""

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
    kept_seconds: int = KEPT_SECONDS,
) -> dict[str, Any]:
    """Carry out `action`, unless this caller has sent `key` to this route a short time ago.

    Args:
        action: Carries out the request.
        caller: The name of the API key. Keys of different callers are independent.
        route: The name of the route. Keys of different routes are independent.
        key: The caller's Idempotency-Key. With None, `action` is always carried out.
        body: The request's body, which must be the same each time.
        context: Lambda's context, for the time that is left.
        kept_seconds: For how long the result is kept.

    Returns:
        The result of `action`, or that of the first request.

    Raises:
        IdempotencyConflict: The first request with this key had another body.
        Conflict: The first request with this key has not ended yet.
    """
    if key is None:
        return action()
    config = IdempotencyConfig(
        event_key_jmespath="key", payload_validation_jmespath="body", expires_after_seconds=kept_seconds
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
            "This Idempotency-Key was already sent with another body; use a new key for a new request"
        ) from error
    except IdempotencyAlreadyInProgressError as error:
        raise Conflict(
            "The first request with this Idempotency-Key has not ended yet; try again in a moment"
        ) from error
    return answer


@cache
def _store() -> DynamoDBPersistenceLayer:
    return DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"], key_attr="id")
