"""The routes: who may make webhooks, of what, and what is shown of them."""

import json
from typing import Any

import boto3
import pytest

from mlops.api.auth import Caller
from mlops.api.schemas.webhooks import WebhookSecret
from mlops.domain.webhooks.event import DETAIL_TYPES, EVENT_TYPES
from tests.support.gateway import CONTEXT
from tests.template import reading
from tests.unit.webhooks.conftest import HOST, TRANSITION, Platform
from webhooks.administration import Administration
from webhooks.app import handler

URL = f"https://{HOST}/services/T0/B0/secret-token"


def parameters() -> dict[str, str]:
    ssm = boto3.client("ssm")
    found = ssm.get_parameters_by_path(Path="/mlops-test/webhooks", Recursive=True, WithDecryption=True)["Parameters"]
    return {each["Name"]: each["Value"] for each in found}


def stored(platform: Platform) -> str:
    return json.dumps(platform.table._table._table.scan()["Items"], default=str)


def test_a_secret_is_shown_once_and_stored_encrypted(platform: Platform) -> None:
    made = platform.create(url=URL, events=["transition.*", "drift.alert"], description="the team's channel")
    webhook_id, secret = made["webhook_id"], made["secret"]
    assert secret.startswith("whsec_")
    shown = {
        "webhook_id": webhook_id,
        "host": HOST,
        "events": ["transition.*", "drift.alert"],
        "models": ["*"],
        "format": "standard",
        "description": "the team's channel",
        "actor": "ann",
        "created_at": made["created_at"],
        "previous_secret_until": None,
    }
    assert made == {**shown, "secret": secret}
    assert platform.ask("GET", "/webhooks") == (200, {"webhooks": [shown]})
    assert platform.show(webhook_id) == {**shown, "deliveries": [], "dead_letters": []}
    assert secret not in stored(platform)
    assert "secret-token" not in stored(platform), "the path of an address may be a secret, as Slack's are"
    assert set(parameters().values()) == {secret, URL}
    kinds = boto3.client("ssm").describe_parameters()["Parameters"]
    assert {each["Type"] for each in kinds} == {"SecureString"}


def test_a_deleted_webhook_leaves_no_secrets(platform: Platform) -> None:
    kept, webhook_id = platform.create()["webhook_id"], platform.create()["webhook_id"]
    for _ in range(3):
        assert platform.ask("POST", f"/webhooks/{webhook_id}/secret")[0] == 200
    status, answer = platform.ask("DELETE", f"/webhooks/{webhook_id}")
    assert (status, answer["webhook_id"]) == (200, webhook_id)
    assert all(kept in name for name in parameters())
    assert [each["webhook_id"] for each in platform.ask("GET", "/webhooks")[1]["webhooks"]] == [kept]
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/secret")]:
        assert platform.ask(method, f"/webhooks/{webhook_id}{path}")[0] == 404


def test_a_deletion_that_was_interrupted_can_be_repeated(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    webhook_id = platform.create()["webhook_id"]
    with monkeypatch.context() as patch:
        patch.delattr(type(platform.table), "delete")  # the step after the secrets fails
        assert platform.ask("DELETE", f"/webhooks/{webhook_id}")[0] == 500
    assert parameters() == {}
    assert platform.ask("DELETE", f"/webhooks/{webhook_id}")[0] == 200
    assert platform.ask("GET", "/webhooks")[1] == {"webhooks": []}


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("http://hooks.example.com/", "https://"),
        ("https://user:password@hooks.example.com/", "no user name"),
        ("https://hooks.example.com:8443/", "port 443"),
        ("https://hooks.example.com:x/", "is not an address"),
        ("https://127.0.0.1/", "not an IP address"),
        ("https://2130706433/", "not an IP address"),
        ("https://0x7f.1/", "not an IP address"),
        ("https://[::1]/", "not an IP address"),
        ("https://localhost/", "full name of a host"),
        ("https://hooks.example.com./", "full name of a host"),
        ("https:///in", "full name of a host"),
        ("https://hooks.example.com/#a", "after #"),
        ("https://hooks.example.com/a b", "cannot have"),
        ("https://hööks.example.com/", "cannot have"),
        ("https://hooks.example.com/\r\nx: y", "cannot have"),
        ("https://hooks.example.com/{{ssm:other}}", "cannot have"),
        ("https://hooks.example.com/\n", "cannot have"),
    ],
)
def test_addresses_that_are_refused(platform: Platform, url: str, wrong: str) -> None:
    status, problem = platform.ask("POST", "/webhooks", {"url": url, "events": ["*"]})
    assert (status, problem["errors"][0]["field"]) == (422, "url")
    assert wrong in problem["errors"][0]["message"]
    assert parameters() == {}


@pytest.mark.parametrize("events", [["transition.promoted"], ["rollouts.*"], ["job.failed", "nothing"], ["*.failed"]])
def test_events_that_the_platform_does_not_send_are_refused(platform: Platform, events: list[str]) -> None:
    status, problem = platform.ask("POST", "/webhooks", {"url": URL, "events": events})
    assert (status, problem["errors"][0]["field"]) == (422, "events")
    assert all(name in problem["errors"][0]["message"] for name in EVENT_TYPES), "the error lists those that are sent"


@pytest.mark.parametrize("body", [{"events": ["*"]}, {"url": URL}, {"url": URL, "events": []}, {"url": 1, "x": 2}])
def test_incomplete_requests_are_refused(platform: Platform, body: dict[str, Any]) -> None:
    assert platform.ask("POST", "/webhooks", body)[0] == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/webhooks"),
        ("GET", "/webhooks"),
        ("GET", "/webhooks/{}"),
        ("DELETE", "/webhooks/{}"),
        ("POST", "/webhooks/{}/test"),
        ("POST", "/webhooks/{}/secret"),
    ],
)
def test_only_admins_manage_webhooks(platform: Platform, method: str, path: str) -> None:
    webhook_id = platform.create()["webhook_id"]
    body = {"url": URL, "events": ["*"]} if path == "/webhooks" else None
    status, problem = platform.ask(method, path.format(webhook_id), body, key="trainer")
    assert (status, "needs the role admin" in problem["detail"]) == (403, True)


def test_a_key_for_some_models_subscribes_to_these_only(platform: Platform) -> None:
    of_all = platform.create()["webhook_id"]
    body: dict[str, Any] = {"url": URL, "events": ["*"]}
    status, own = platform.ask("POST", "/webhooks", body, key="churn-admin")
    assert (status, own["models"]) == (201, ["churn*"])
    for models in (["*"], ["fraud"], ["chur*"], ["churn-eu", "fraud"]):
        status, problem = platform.ask("POST", "/webhooks", {**body, "models": models}, key="churn-admin")
        assert (status, "`models`" in problem["detail"]) == (403, True), models
    assert platform.ask("POST", "/webhooks", {**body, "models": ["churn-eu*"]}, key="churn-admin")[0] == 201
    listed = platform.ask("GET", "/webhooks", key="churn-admin")[1]["webhooks"]
    assert of_all not in [each["webhook_id"] for each in listed]
    assert len(listed) == 2
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/secret")]:
        status, problem = platform.ask(method, f"/webhooks/{of_all}{path}", key="churn-admin")
        assert (status, "is for churn*, and this webhook has '*'" in problem["detail"]) == (403, True)


def test_there_is_a_limit(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhooks.administration.MOST_WEBHOOKS", 2)
    platform.create()
    platform.create()
    status, problem = platform.ask("POST", "/webhooks", {"url": URL, "events": ["*"]})
    assert (status, problem["code"]) == (409, "conflict")


def test_two_rotations_at_once_leave_one_secret_that_was_shown(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook_id = platform.create()["webhook_id"]
    original = type(platform.table).rotate
    answers: list[WebhookSecret] = []

    def meanwhile(self: Any, *arguments: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(type(platform.table), "rotate", original)
            answers.append(Administration.from_environment().rotate(webhook_id, Caller("bob", "admin")))
        return original(self, *arguments)

    monkeypatch.setattr(type(platform.table), "rotate", meanwhile)
    assert platform.ask("POST", f"/webhooks/{webhook_id}/secret")[0] == 409
    (rotated,) = answers
    webhook = platform.table.find(webhook_id)
    assert webhook is not None
    assert parameters()[f"/mlops-test/webhooks/{webhook_id}/{webhook.secret_id}"] == rotated.secret
    assert len(parameters()) == 3, "the address, the secret, and the one before"


def test_the_rule_has_the_events_that_can_be_read() -> None:
    function = reading.read(reading.TEMPLATE)["Resources"]["WebhooksFunction"]["Properties"]
    pattern = function["Events"]["Happened"]["Properties"]["Pattern"]
    assert pattern == {
        "source": ["mlops"],
        "resources": [{"Ref": "AWS::StackId"}],
        "detail-type": list(DETAIL_TYPES),
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"detail-type": "Scheduled Event"},
        {"detail": None},
        {"detail": {**TRANSITION["detail"], "status": "queued"}},
        {"detail": {"status": "succeeded"}},
        {"detail-type": "Drift Alert", "detail": {}},
    ],
)
def test_what_is_no_event_is_not_lost_in_silence(platform: Platform, changed: dict[str, Any]) -> None:
    """Lambda tries again, and then hands it to the dead letters."""
    platform.create()
    with pytest.raises(ValueError, match=r"is missing|must be text|webhooks do not send|webhooks send"):
        handler({**TRANSITION, **changed}, CONTEXT)
    assert platform.messages() == []
