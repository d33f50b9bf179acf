"""Operations in the browser: webhooks and what became of their messages, and the names and roles of keys."""

import re
import uuid

import boto3
import pytest

from infra.local import deploy
from infra.local.api import Api
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.webhook_queue import WebhookMessage
from mlops.aws.webhooks_table import WebhooksTable
from mlops.domain.webhooks.event import PlatformEvent
from tests.support.console import findings, wider_than_window

pytestmark = pytest.mark.slow  # a browser, and messages that are tried
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


@pytest.fixture
def webhooks_table(stack, monkeypatch):
    """The stack's own table of webhooks."""
    for variable, value in stack.env.items():
        monkeypatch.setenv(variable, value)
    name = deploy.physical_ids(stack.settings)["WebhooksTable"]
    return WebhooksTable(DynamoTable(boto3.resource("dynamodb").Table(name)))


def give_up(table, webhook_id):
    """The record of a message whose tries have all failed, as the deliverer leaves it after a day."""
    event = PlatformEvent("drift.alert", uuid.uuid4().hex, "churn", "2026-01-01T00:00:00Z", {})
    message = WebhookMessage(webhook_id, event)
    table.add_delivery(message)
    assert table.begin(message, 8, None)
    table.failed(message, "it answered 500", 500)


def test_a_webhook_is_added_tested_read_and_deleted(open_console, api, webhooks_table, axe):
    host = f"hooks-{uuid.uuid4().hex[:6]}.example.com"
    page = open_console("operations")
    card = page.get_by_role("region", name="Webhooks", exact=True)
    card.get_by_role("button", name="Add a webhook").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Address").fill("https://127.0.0.1/private")
    dialog.get_by_label("Events").fill("drift.*, job.failed")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("not an IP address")
    dialog.get_by_label("Address").fill(f"https://{host}/a-secret-path")
    dialog.get_by_label("What it is for").fill("the team")
    dialog.get_by_role("button", name="Add", exact=True).click()
    secret = dialog.get_by_test_id("secret").text_content()
    assert secret.startswith("whsec_")
    dialog.get_by_role("button", name="Close").click()
    row = card.get_by_role("row").filter(has_text=host)
    expect(row).to_contain_text("drift.*, job.failed")
    expect(page.locator("body")).not_to_contain_text("a-secret-path")
    expect(page.locator("body")).not_to_contain_text(secret)
    (made,) = [each for each in api.get("/webhooks")["webhooks"] if each["host"] == host]

    row.get_by_role("button", name=host).click()
    opened = page.get_by_role("region", name="Webhook", exact=True)
    expect(opened.get_by_role("heading", name=host)).to_be_focused()
    expect(opened.get_by_text("None yet.")).to_be_visible()
    opened.get_by_role("button", name="Send a test").click()
    message = (
        opened.get_by_role("region", name="Table of messages", exact=True)
        .get_by_role("row")
        .filter(has_text="webhook.test")
    )
    # Nothing has this name, so the first try fails, and the next one is due.
    expect(message.get_by_text("retrying")).to_be_visible()
    expect(message).to_contain_text("Next try")
    give_up(webhooks_table, made["webhook_id"])
    dead = opened.get_by_role("region", name="Table of messages that were given up")
    expect(dead.get_by_role("row").filter(has_text="drift.alert")).to_contain_text("it answered 500")
    opened.get_by_role("button", name="New secret").click()
    expect(opened.get_by_test_id("secret")).to_have_text(re.compile("^whsec_"))
    assert opened.get_by_test_id("secret").text_content() != secret
    expect(opened.get_by_text("signs too until")).to_be_visible()
    for width in (390, 768, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert wider_than_window(page) == [], width
    assert findings(page, axe) == []

    page.reload()
    expect(opened).to_contain_text(made["webhook_id"])
    expect(opened.get_by_test_id("secret")).to_have_count(0)
    opened.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(opened).to_be_visible()
    opened.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(opened).to_be_hidden()
    expect(card.get_by_role("row").filter(has_text=host)).to_have_count(0)
    assert host not in str(api.get("/webhooks"))


def test_an_admin_sees_names_and_roles_of_all_keys(open_console, api, stack, key_of, invoke, scene):
    name = Api(stack.api_url, key_of("train", scene.table)).get("/me")["name"]
    invoke("ReconcileFunction", b"{}")  # each five minutes
    assert name in [entry["name"] for entry in api.get("/keys/history")["entries"]]
    page = open_console("operations")
    card = page.get_by_role("region", name="Keys", exact=True)
    row = card.get_by_role("region", name="Table of keys").get_by_role("row").filter(has_text=name)
    expect(row.get_by_role("cell").nth(0)).to_have_text("train")
    expect(row).to_contain_text(scene.table)
    card.get_by_text(re.compile(r"^Changes of keys: \d+$")).click()
    changes = card.get_by_role("region", name="Table of changes of keys")
    expect(changes.get_by_role("row").filter(has_text=name)).to_contain_text("made")


@pytest.mark.parametrize(
    ("role", "models", "said"),
    [
        ("read", (), "To see webhooks needs a key with the role admin"),
        ("admin", ("churn*",), "To see all keys needs a key for all models"),
    ],
)
def test_who_may_not_see_webhooks_or_keys_is_told_why_and_nothing_is_asked(
    open_console, key_of, scene, role, models, said
):
    page = open_console("start", key_of(role, *models))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("location.hash = '#/operations'")
    main = page.locator("main")
    expect(main).to_contain_text(said)
    expect(page.get_by_role("region", name="Keys", exact=True)).to_contain_text(role)
    expect(page.get_by_role("region", name="Services behind the API")).to_be_visible()
    assert not [url for url in asked if "keys/history" in url]
    if role == "read":
        assert not [url for url in asked if "webhooks" in url]
        expect(page.get_by_role("button", name="Add a webhook")).to_have_count(0)
