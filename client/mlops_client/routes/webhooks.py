"""Webhooks: who is told of the platform's events."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_client.models import CreatedWebhook, WebhookDetail, WebhookSecret, WebhookState, WebhookTestAccepted
from mlops_client.records import decode, decode_page
from mlops_client.routes.base import Routes, given
from mlops_client.transport import path as route_of


class WebhookRoutes(Routes):
    """Make, show, test and delete webhooks. This needs a key with the role admin."""

    def create_webhook(
        self,
        url: str,
        events: Sequence[str],
        *,
        format: str | None = None,
        models: Sequence[str] | None = None,
        description: str | None = None,
    ) -> CreatedWebhook:
        """Send events to an address from now on. The result has the secret, which is not shown again.

        The request is sent once: the API keeps no answer that has a secret, so a repetition would make another webhook.
        If no answer comes, look at `webhooks()`.

        Args:
            url: An https:// address.
            events: Types of events, such as job.failed; transition.* stands for a family, * for all.
            format: standard or slack.
            models: Names of models and experiments; churn* stands for all names with this beginning.
            description: What it is for.
        """
        named = {"format": format, "models": list(models) if models else None, "description": description}
        body = {"url": url, "events": list(events), **given(named)}
        return decode(CreatedWebhook, self.transport.call("POST", "/webhooks", body))

    def webhooks(self) -> list[WebhookState]:
        """Return the webhooks of models that the key is for, the oldest first."""
        return decode_page(WebhookState, self.transport.call("GET", "/webhooks"), "webhooks")

    def webhook(self, webhook_id: str) -> WebhookDetail:
        """Return a webhook with its last deliveries, and those whose tries have all failed."""
        return decode(WebhookDetail, self.transport.call("GET", route_of("webhooks", webhook_id)))

    def delete_webhook(self, webhook_id: str) -> WebhookState:
        """Delete a webhook and its secrets."""
        return decode(WebhookState, self.transport.call("DELETE", route_of("webhooks", webhook_id)))

    def test_webhook(self, webhook_id: str) -> WebhookTestAccepted:
        """Send an event of the type webhook.test. `webhook()` shows what became of it."""
        answer = self.transport.call("POST", route_of("webhooks", webhook_id, "test"), {})
        return decode(WebhookTestAccepted, answer)

    def rotate_webhook_secret(self, webhook_id: str) -> WebhookSecret:
        """Make a new secret, which is not shown again. For 24 hours the one before signs too."""
        return decode(WebhookSecret, self.transport.call("POST", route_of("webhooks", webhook_id, "secret"), {}))
