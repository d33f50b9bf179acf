"""Idempotency-Key: the same request sent twice is carried out once, and answered alike."""

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
    """Carry out `action` unless this caller has sent `key` to this route within a day; then answer as before.

    Raises:
        IdempotencyConflict: the key came before with another body.
        Conflict: the first request with this key is still being worked on.
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
        answer: dict[str, Any] = carry_out(request={"key": f"{route}/{caller}/{key}", "body": body})
    except IdempotencyValidationError as error:
        raise IdempotencyConflict(
            "This Idempotency-Key came before with another body; use a new key for a new request"
        ) from error
    except IdempotencyAlreadyInProgressError as error:
        raise Conflict(
            "The first request with this Idempotency-Key is still under way; ask again in a moment"
        ) from error
    return answer


@cache
def _store() -> DynamoDBPersistenceLayer:
    return DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"], key_attr="id")
