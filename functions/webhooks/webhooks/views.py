"""Make the API's answers from records."""

import time
from dataclasses import asdict

from mlops.api.schemas.webhooks import WebhookDelivery, WebhookState
from mlops.domain.timestamps import from_milliseconds
from mlops.domain.webhooks.delivery import Delivery
from mlops.domain.webhooks.webhook import Webhook


def state_of(webhook: Webhook) -> WebhookState:
    """Make the answer about a webhook."""
    until = webhook.overlap_until(time.time())
    return WebhookState(
        webhook_id=webhook.webhook_id,
        host=webhook.host,
        events=list(webhook.events),
        models=list(webhook.models),
        format=webhook.format,
        description=webhook.description,
        actor=webhook.actor,
        created_at=webhook.created_at,
        previous_secret_until=from_milliseconds(int(until * 1000)) if until is not None else None,
    )


def delivery_of(delivery: Delivery) -> WebhookDelivery:
    """Make the answer about a delivery."""
    return WebhookDelivery(**asdict(delivery), state=delivery.state.value)
