"""Handle messages of the queue of webhooks: sign each, send it, and let it come again later if that fails."""

from typing import Any

from aws_lambda_powertools import Logger

from webhook_delivery.deliverer import Deliverer

logger = Logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """One message at a time (BatchSize 1). Those that the answer names stay in the queue.

    A receiver that does not accept a message is no error of this function, so it is not raised as one.
    """
    deliverer = Deliverer.from_environment()
    kept = [record["messageId"] for record in event["Records"] if not deliverer.deliver(record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in kept]}
