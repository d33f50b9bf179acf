"""The responses of the routes of webhooks."""

from typing import Literal

from pydantic import BaseModel, Field


class WebhookState(BaseModel):
    webhook_id: str
    host: str = Field(description="The host of the address; the rest of it is not shown, as it may be a secret")
    events: list[str]
    models: list[str]
    format: str
    description: str | None = None
    actor: str = Field(description="Name of the API key that made it")
    created_at: str
    previous_secret_until: str | None = Field(
        default=None, description="Until then the secret before the last rotation signs too"
    )


class CreatedWebhook(WebhookState):
    secret: str = Field(description="Signs the messages. It is shown here only")


class WebhookSecret(BaseModel):
    webhook_id: str
    secret: str = Field(description="Signs the messages from now on. It is shown here only")
    previous_secret_until: str = Field(description="Until then the secret before signs too")


class WebhookDelivery(BaseModel):
    message_id: str = Field(description="The header webhook-id, which is the same for each try")
    event_type: str
    state: Literal["pending", "retrying", "delivered", "dead"]
    attempts: int = Field(description="How many tries have begun")
    response_status: int | None = Field(
        default=None, description="The status of the last try's answer, if there was one"
    )
    error: str | None = Field(
        default=None, description="Why the last try failed; null while it runs, and if it was stopped"
    )
    created_at: str
    last_attempt_at: str | None = None
    next_attempt_at: str | None = Field(default=None, description="When the next try is due; null if none follows")
    delivered_at: str | None = None


class WebhookDetail(WebhookState):
    deliveries: list[WebhookDelivery] = Field(description="The last 20, the newest first; kept for 30 days")
    dead_letters: list[WebhookDelivery] = Field(
        description="The last 20 whose tries have all failed, the newest first; kept for 30 days"
    )


class WebhookList(BaseModel):
    webhooks: list[WebhookState]


class WebhookTestAccepted(BaseModel):
    webhook_id: str
    message_id: str = Field(description="The message that is sent; GET /webhooks/{webhook_id} shows what became of it")
