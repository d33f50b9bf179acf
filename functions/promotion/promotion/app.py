"""Handle messages of the promotion queue: check a version, move the alias, and write the manifest."""

import json
from typing import Any

from aws_lambda_powertools import Logger

from promotion.promoter import Promoter
from promotion.retries import Retries

logger = Logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> None:
    """Handle one message (BatchSize is 1). After an exception the message stays in the queue and is tried again."""
    for record in event["Records"]:
        try:
            message = json.loads(record["body"])
            logger.append_keys(request_id=message.get("request_id"))
            Promoter.from_environment().handle(message)
        except Exception:
            Retries.from_environment().postpone(record)
            raise
