"""mlops webhooks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Json, new_client
from mlops_client.cli.output import ago
from mlops_client.cli.tables import Column

if TYPE_CHECKING:
    from mlops_client.client import Client
    from mlops_client.models import WebhookDelivery

POLL_SECONDS = 1.0
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the webhook, such as wh_0199….")]
webhooks_app = typer.Typer(
    help="Send the platform's events to an address or to Slack. This needs a key with the role admin.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    app.add_typer(webhooks_app, name="webhooks")


@webhooks_app.command("list")
def list_webhooks(as_json: Json = False) -> None:
    """List the webhooks of models that the key is for."""
    states = new_client().webhooks()
    if as_json:
        output.print_json(states)
        return
    columns = [
        Column("webhook", 9, whole=True),
        Column("host", 8),
        Column("events", 7, wrap=True),
        Column("models", 6),
        Column("format", 3),
        Column("by", 4),
        Column("created", 5, right=True, style="dim"),
        Column("description", 2),
    ]
    rows = [
        [
            state.webhook_id,
            state.host,
            ", ".join(state.events),
            ", ".join(state.models),
            state.format,
            state.actor,
            ago(state.created_at),
            state.description,
        ]
        for state in states
    ]
    output.show(columns, rows, "no webhooks; make one: mlops webhooks create https://… -e 'transition.*'")


@webhooks_app.command("create")
def create(
    url: Annotated[str, typer.Argument(metavar="URL", help="The https:// address that gets the messages.")],
    events: Annotated[
        list[str],
        typer.Option("--event", "-e", help="Type of events: job.failed, transition.*, or * for all. Can be repeated."),
    ],
    models: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Only of this model, or of names like churn*. Can be repeated."),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="standard or slack.")] = "standard",
    description: Annotated[str | None, typer.Option("--description", help="What it is for.")] = None,
    as_json: Json = False,
) -> None:
    """Send events to an address from now on, and print the secret that signs them. It is not shown again."""
    made = new_client().create_webhook(url, events, format=form, models=models, description=description)
    if as_json:
        output.print_json(made)
        return
    output.print_line(f"{made.webhook_id} sends {', '.join(made.events)} to {made.host}")
    output.print_line(f"secret: {made.secret}")
    output.note(f"store the secret now: it is not shown again. Try it: mlops webhooks test {made.webhook_id}")


@webhooks_app.command("show")
def show(webhook_id: Id, as_json: Json = False) -> None:
    """Show a webhook, its last deliveries, and those whose tries have all failed."""
    detail = new_client().webhook(webhook_id)
    if as_json:
        output.print_json(detail)
        return
    facts = [
        ("webhook", detail.webhook_id),
        ("host", detail.host),
        ("events", ", ".join(detail.events)),
        ("models", ", ".join(detail.models)),
        ("format", detail.format),
        ("made by", f"{detail.actor}, {detail.created_at}"),
        ("description", detail.description),
        ("two secrets until", detail.previous_secret_until),
    ]
    output.show_facts(facts)
    out = output.console()
    out.print("")
    _show_deliveries(detail.deliveries, "no deliveries yet")
    if detail.dead_letters:
        out.print("\ndead letters, which are not tried any more:")
        _show_deliveries(detail.dead_letters, "")


@webhooks_app.command("delete")
def delete(webhook_id: Id, as_json: Json = False) -> None:
    """Delete a webhook and its secrets."""
    deleted = new_client().delete_webhook(webhook_id)
    if as_json:
        output.print_json(deleted)
    else:
        output.print_line(f"{webhook_id} is deleted; nothing more is sent to {deleted.host}")


@webhooks_app.command("test")
def send_test(
    webhook_id: Id,
    wait: Annotated[
        float, typer.Option(min=0, help="Wait at most this many seconds for the first try; 0 does not wait.")
    ] = 30,
    as_json: Json = False,
) -> None:
    """Send an event of the type webhook.test, and show what became of it."""
    client = new_client()
    delivery = _tried(client, webhook_id, client.test_webhook(webhook_id).message_id, wait)
    if as_json:
        output.print_json(delivery)
    elif delivery is None or (delivery.state != "delivered" and delivery.error is None):
        output.note(f"the message waits; mlops webhooks show {webhook_id} says what becomes of it")
    elif delivery.state == "delivered":
        output.print_line(f"delivered: the answer was {delivery.response_status}")
    else:
        output.complain(f"not delivered: {delivery.error}")
    if delivery is not None and delivery.error is not None:
        raise typer.Exit(1)


@webhooks_app.command("rotate")
def rotate(webhook_id: Id, as_json: Json = False) -> None:
    """Print a new secret. For 24 hours the one before signs too."""
    rotated = new_client().rotate_webhook_secret(webhook_id)
    if as_json:
        output.print_json(rotated)
        return
    output.print_line(f"secret: {rotated.secret}")
    output.note(f"it is not shown again. The secret before signs too until {rotated.previous_secret_until}")


def _tried(client: Client, webhook_id: str, message_id: str, wait: float) -> WebhookDelivery | None:
    """Return the delivery of a message after its first try, or as it is when the time is over."""
    deadline = time.monotonic() + wait
    while True:
        known = client.webhook(webhook_id).deliveries if wait else []
        delivery = next((each for each in known if each.message_id == message_id), None)
        has_ended = delivery is not None and (delivery.state == "delivered" or delivery.error is not None)
        if has_ended or time.monotonic() >= deadline:
            return delivery
        time.sleep(POLL_SECONDS)


def _show_deliveries(deliveries: list[WebhookDelivery], empty: str) -> None:
    columns = [
        Column("message", 4, whole=True),
        Column("event", 8),
        Column("state", 9),
        Column("tries", 5, right=True),
        Column("answer", 6, right=True),
        Column("created", 5, right=True, style="dim"),
        Column("error", 7, wrap=True),
    ]
    rows = [
        [
            each.message_id,
            each.event_type,
            each.state,
            each.attempts,
            each.response_status,
            ago(each.created_at),
            each.error,
        ]
        for each in deliveries
    ]
    output.show(columns, rows, empty)
