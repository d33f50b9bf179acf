"""Handle messages of the promotion queue: check a version, move the alias, and write the manifest."""

from typing import Any

from aws_lambda_powertools import Logger

from mlops.aws.promotion_queue import read_message
from promotion.promoter import Promoter
from promotion.retries import Retries

logger = Logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> None:
    """One message at a time (BatchSize 1). An exception leaves the message in the queue, to be tried again."""
    retries = Retries.from_environment()
    for record in event["Records"]:
        retries.begin(record)
        try:
            message = read_message(record["body"])
            logger.append_keys(request_id=message.get("request_id"))
            Promoter.from_environment().handle(message)
        except Exception:
            retries.postpone(record)
            raise
