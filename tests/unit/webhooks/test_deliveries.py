"""From an event to a receiver: signed, tried again, set aside, and never twice under two names."""

import json
import time
from itertools import pairwise
from typing import Any

import boto3
import pytest
from moto.sqs.models import sqs_backends

from mlops.aws.webhook_queue import MalformedMessage, read_message
from mlops.aws.webhook_secrets import WebhookSecrets
from mlops.domain.cleanup import Cleanup
from mlops.domain.webhooks.event import DETAIL_TYPES, read_event
from mlops.domain.webhooks.message import body_of
from tests.support.gateway import CONTEXT
from tests.support.https_receiver import Received, Receiver
from tests.unit.webhooks.conftest import HOST, PAUSES, TRANSITION, VISIBILITY, Platform, Road
from tests.unit.webhooks.test_signature import accepts
from webhook_delivery import app
from webhooks.fan_out import FanOut


class Killed(BaseException):
    """Stands for a process that dies at this point."""


class Clock:
    """The clock of the platform and of moto's queue, which tests move on."""

    def __init__(self) -> None:
        self.passed = 0.0
        self._real = time.time

    def time(self) -> float:
        return self._real() + self.passed

    def pass_(self, seconds: float) -> None:
        self.passed += seconds
        for queue in sqs_backends["123456789012"]["us-east-1"].queues.values():
            for message in queue._messages:
                # SQS hides a message for at most 12 hours from each receipt; moto counts them from its sending.
                message.sent_timestamp = self.time() * 1000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "time", made.time)
    monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda *_: made.time() * 1000)
    monkeypatch.setattr("moto.sqs.models.unix_time", lambda *_: made.time())
    return made


def signatures(request: Received) -> list[str]:
    return request.headers["webhook-signature"].split()


def event(detail_type: str, **detail: Any) -> dict[str, Any]:
    return {**TRANSITION, "id": f"id of {detail}", "detail-type": detail_type, "detail": detail}


def test_a_message_is_signed_and_says_what_happened(platform: Platform, receiver: Receiver) -> None:
    made = platform.create()
    platform.happens()
    assert platform.deliver() == [True]
    (request,) = receiver.requests
    assert (request.path, request.headers["host"]) == ("/in?a=b", HOST)
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "type": "transition.succeeded",
        "timestamp": "2026-06-01T12:00:00Z",
        "data": TRANSITION["detail"],
    }
    assert accepts(made["secret"], request.headers, request.body)
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    (delivery,) = platform.show(made["webhook_id"])["deliveries"]
    assert (delivery["state"], delivery["attempts"], delivery["response_status"]) == ("delivered", 1, 204)
    assert (delivery["error"], delivery["next_attempt_at"]) == (None, None)
    assert delivery["message_id"] == request.headers["webhook-id"]


def test_each_webhook_gets_what_it_wants(platform: Platform) -> None:
    wanted = {
        platform.create(events=events, **models)["webhook_id"]: name
        for name, events, models in [
            ("all", ["*"], {}),
            ("family", ["transition.*"], {}),
            ("exact", ["transition.succeeded", "drift.alert"], {}),
            ("failures", ["transition.failed", "job.*"], {}),
            ("others", ["*"], {"models": ["fraud*", "churn-eu"]}),
            ("pattern", ["*"], {"models": ["chu*"]}),
        ]
    }

    def told(happened: dict[str, Any]) -> set[str]:
        platform.happens(happened)
        return {wanted[json.loads(message["body"])["webhook_id"]] for message in platform.messages()}

    assert told(TRANSITION) == {"all", "family", "exact", "pattern"}
    assert told(event("Drift Alert", model_name="churn-eu", model_version=1)) == {"all", "exact", "others", "pattern"}
    assert told(event("Job Ended", job_id="job_000001", status="failed", experiment_name="fraud-1")) == {
        "all",
        "failures",
        "others",
    }


def test_a_key_is_told_nothing_that_it_could_not_read(platform: Platform) -> None:
    """A job belongs to a model and to an experiment, and reading it needs a key for both."""
    body = {"url": f"https://{HOST}/in", "events": ["*"]}
    for key in ("churn-admin", "k1"):
        status, made = platform.ask("POST", "/webhooks", {**body, "models": ["churn*"]}, key=key)
        assert (status, made["models"]) == (201, ["churn*"])
    job = {"job_id": "job_000001", "status": "failed", "model_name": "churn"}
    platform.happens(event("Job Ended", **job, experiment_name="fraud"))
    (message,) = platform.messages()
    told = platform.table.find(json.loads(message["body"])["webhook_id"])
    assert told is not None
    assert told.actor == "ann", "whose key is for all models"
    platform.happens(event("Job Ended", **{**job, "job_id": "job_000002"}, experiment_name="churn-trials"))
    assert len(platform.messages()) == 2


def test_a_repeated_event_is_one_message(platform: Platform, receiver: Receiver) -> None:
    """EventBridge delivers at least once, and whoever published an event may do so again, with another id."""
    webhook_id = platform.create()["webhook_id"]
    platform.happens()
    platform.deliver()
    platform.happens({**TRANSITION, "id": "another", "time": "2026-06-01T12:01:00Z"})
    assert platform.deliver() == [True]
    assert len(receiver.requests) == 1
    assert len(platform.show(webhook_id)["deliveries"]) == 1


def test_a_repeated_message_that_was_not_delivered_has_the_same_id(platform: Platform, receiver: Receiver) -> None:
    platform.create()
    platform.happens()
    platform.happens()
    receiver.answers = [500]
    assert sorted(platform.deliver()) == [False, True]
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len({request.body for request in receiver.requests}) == 1


def test_a_failed_message_comes_again_for_a_day_and_is_then_set_aside(
    platform: Platform, receiver: Receiver, clock: Clock
) -> None:
    made = platform.create()
    platform.happens()
    receiver.answers = [500] * (len(PAUSES) + 1)
    for number, pause in enumerate(PAUSES, 1):
        assert platform.deliver() == [False]
        (delivery,) = platform.show(made["webhook_id"])["deliveries"]
        assert (delivery["state"], delivery["attempts"]) == ("retrying", number)
        assert "500" in delivery["error"]
        clock.pass_(pause - 2)
        assert platform.deliver() == [], "before its time"
        clock.pass_(3)
    assert 22 * 3600 < clock.passed < 24 * 3600
    assert platform.deliver() == [False]
    clock.pass_(1)
    assert platform.deliver() == []
    (dead,) = platform.show(made["webhook_id"])["dead_letters"]
    assert (dead["state"], dead["attempts"], dead["response_status"]) == ("dead", len(PAUSES) + 1, 500)
    assert dead["next_attempt_at"] is None
    sqs = boto3.client("sqs")
    (letter,) = sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName="webhooks-dead")["QueueUrl"])["Messages"]
    assert read_message(letter["Body"]).message_id == dead["message_id"]
    stamps = [int(request.headers["webhook-timestamp"]) for request in receiver.requests]
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert [after - before for before, after in pairwise(stamps)] == pytest.approx(PAUSES, abs=3)
    assert len({request.headers["webhook-signature"] for request in receiver.requests}) == len(PAUSES) + 1
    assert all(accepts(made["secret"], request.headers, request.body) for request in receiver.requests)


def test_a_receiver_that_comes_back_gets_the_message(
    platform: Platform, receiver: Receiver, road: Road, clock: Clock
) -> None:
    webhook_id = platform.create()["webhook_id"]
    platform.happens()
    road.away.update(road.names[HOST])
    assert platform.deliver() == [False]
    (delivery,) = platform.show(webhook_id)["deliveries"]
    assert "refused" in delivery["error"]
    assert delivery["response_status"] is None
    road.away.clear()
    clock.pass_(PAUSES[0] + 1)
    assert platform.deliver() == [True]
    (delivery,) = platform.show(webhook_id)["deliveries"]
    assert (delivery["state"], delivery["attempts"], delivery["error"]) == ("delivered", 2, None)


@pytest.mark.parametrize(
    ("answer", "error"), [(302, "redirects are not followed"), (404, "404"), (199 + 101, "redirects"), (503, "503")]
)
def test_only_success_is_success(platform: Platform, receiver: Receiver, answer: int, error: str) -> None:
    webhook_id = platform.create()["webhook_id"]
    platform.happens()
    receiver.answers = [answer]
    assert platform.deliver() == [False]
    (delivery,) = platform.show(webhook_id)["deliveries"]
    assert error in delivery["error"]
    assert delivery["response_status"] == answer


def test_an_address_that_became_private_gets_nothing(platform: Platform, receiver: Receiver, road: Road) -> None:
    webhook_id = platform.create()["webhook_id"]
    platform.happens()
    road.names[HOST] = ["169.254.169.254"]
    assert platform.deliver() == [False]
    assert (road.connected, receiver.requests) == ([], [])
    (delivery,) = platform.show(webhook_id)["deliveries"]
    assert "169.254.169.254, which is not a public one" in delivery["error"]


def test_a_killed_deliverer_costs_one_try(
    platform: Platform, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is hidden until the next try before anything is sent, so the pauses hold without the process."""
    webhook_id = platform.create()["webhook_id"]
    platform.happens()

    def die(*_: Any) -> int:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(platform.deliverer._transport, "post", die)
        for number, hidden in enumerate((VISIBILITY, PAUSES[1]), 1):
            with pytest.raises(Killed):
                platform.deliver()
            (delivery,) = platform.show(webhook_id)["deliveries"]
            assert (delivery["state"], delivery["attempts"]) == ("retrying", number)
            assert delivery["error"] is None
            clock.pass_(hidden - 2)
            assert platform.deliver() == []
            clock.pass_(3)
    assert platform.deliver() == [True]
    (delivery,) = platform.show(webhook_id)["deliveries"]
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 3)
    assert len(receiver.requests) == 1


def test_one_killed_at_each_try_is_shown_as_dead(
    platform: Platform, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook_id = platform.create()["webhook_id"]
    platform.happens()

    def die(*_: Any) -> int:
        raise Killed

    monkeypatch.setattr(platform.deliverer._transport, "post", die)
    for _ in range(len(PAUSES) + 1):
        with pytest.raises(Killed):
            platform.deliver()
        clock.pass_(36001)
    assert platform.deliver() == []
    (dead,) = platform.show(webhook_id)["dead_letters"]
    assert (dead["state"], dead["attempts"], dead["error"]) == ("dead", len(PAUSES) + 1, None)


def test_one_killed_after_the_answer_sends_the_same_message_again(
    platform: Platform, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.create()
    platform.happens()

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(type(platform.table), "delivered", die)
        with pytest.raises(Killed):
            platform.deliver()
    clock.pass_(VISIBILITY + 1)
    assert platform.deliver() == [True]
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_a_fan_out_that_was_killed_does_the_rest_when_it_is_called_again(
    platform: Platform, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        platform.create()
    fan_out = FanOut.from_environment()
    send, sent = fan_out._queue.send, []

    def die_at_the_second(message: Any) -> None:
        if len(sent) == 1:
            raise Killed
        sent.append(message)
        send(message)

    with monkeypatch.context() as patch:
        patch.setattr(fan_out._queue, "send", die_at_the_second)
        with pytest.raises(Killed):
            platform.happens()
    platform.happens()
    while platform.deliver():
        pass
    assert len(receiver.requests) == len({request.headers["webhook-id"] for request in receiver.requests}) == 3


def test_a_test_message_goes_the_same_way_whatever_is_subscribed(platform: Platform, receiver: Receiver) -> None:
    made = platform.create(events=["drift.alert"], models=["fraud"])
    status, accepted = platform.ask("POST", f"/webhooks/{made['webhook_id']}/test")
    assert status == 202
    platform.deliver()
    (request,) = receiver.requests
    body = json.loads(request.body)
    assert (body["type"], body["data"]["webhook_id"]) == ("webhook.test", made["webhook_id"])
    assert request.headers["webhook-id"] == accepted["message_id"]
    assert accepts(made["secret"], request.headers, request.body)


def test_both_secrets_sign_for_a_day_after_a_rotation(platform: Platform, receiver: Receiver, clock: Clock) -> None:
    made = platform.create()
    status, rotated = platform.ask("POST", f"/webhooks/{made['webhook_id']}/secret")
    assert status == 200
    assert rotated["secret"] != made["secret"]
    shown = platform.show(made["webhook_id"])
    assert shown["previous_secret_until"] == rotated["previous_secret_until"]
    platform.happens()
    platform.deliver()
    clock.pass_(24 * 3600 + 1)
    platform.happens(event("Drift Alert", model_name="churn", model_version=1))
    platform.deliver()
    during, after = receiver.requests
    assert len(signatures(during)) == 2
    assert all(accepts(secret, during.headers, during.body) for secret in (made["secret"], rotated["secret"]))
    assert len(signatures(after)) == 1
    assert accepts(rotated["secret"], after.headers, after.body)
    assert not accepts(made["secret"], after.headers, after.body)
    assert platform.show(made["webhook_id"])["previous_secret_until"] is None


def test_a_webhook_that_is_deleted_gets_nothing_more(platform: Platform, receiver: Receiver, clock: Clock) -> None:
    webhook_id = platform.create()["webhook_id"]
    platform.happens()
    receiver.answers = [500]
    assert platform.deliver() == [False]
    platform.ask("DELETE", f"/webhooks/{webhook_id}")
    clock.pass_(PAUSES[0] + 1)
    assert platform.deliver() == [True]
    assert len(receiver.requests) == 1
    assert platform.messages() == []


def test_a_secret_that_is_gone_is_a_failure_that_is_shown(platform: Platform, receiver: Receiver) -> None:
    """A deletion that was interrupted has taken the secrets, and left the record."""
    webhook_id = platform.create()["webhook_id"]
    platform.happens()
    webhook = platform.table.find(webhook_id)
    assert webhook is not None
    WebhookSecrets("/mlops-test/webhooks").delete_all(webhook_id, [webhook.secret_id])
    assert platform.deliver() == [False]
    assert "no parameter" in platform.show(webhook_id)["deliveries"][0]["error"]
    assert receiver.requests == []


def test_a_cleanup_is_told_to_webhooks_for_all_models(platform: Platform, receiver: Receiver) -> None:
    """A key for some models is not told what was removed of the others, nor is a webhook that names some."""
    platform.create(events=["cleanup.*"])
    platform.create(events=["*"], models=["churn*"])
    ended = Cleanup(freed_bytes=5_000)
    ended.ended()
    event = {**TRANSITION, "detail-type": "Cleanup Ended", "detail": ended.detail()}
    platform.happens(event)
    platform.happens({**event, "id": "22222222-0000-4000-8000-000000000000"})
    platform.deliver()
    (request,) = receiver.requests
    body = json.loads(request.body)
    assert (body["type"], body["data"]["cleanup_id"]) == ("cleanup.ended", ended.cleanup_id)
    assert (body["data"]["freed_bytes"], body["data"]["purged"]) == (5_000, 0)


def test_slack_gets_a_text(platform: Platform, receiver: Receiver) -> None:
    platform.create(format="slack")
    platform.happens({**TRANSITION, "detail": {**TRANSITION["detail"], "reason": "<!channel> & more"}})
    platform.deliver()
    (request,) = receiver.requests
    text = "churn version 3 to Production: succeeded (&lt;!channel&gt; &amp; more)"
    assert json.loads(request.body) == {"text": text}


EVENTS = {
    "Model Transition": TRANSITION["detail"],
    "Rollout Started": {"rollout_id": "ro_1", "model_name": "churn", "version": 3, "status": "starting", "reason": "x"},
    "Rollout Ended": {"rollout_id": "ro_1", "model_name": "churn", "version": 3, "status": "rolled_back", "note": "x"},
    "Drift Alert": {"model_name": "churn", "model_version": 3, "message": "age is missing"},
    "Drift Recovered": {"model_name": "churn", "model_version": 3, "message": "as in training"},
    "Performance Alert": {"model_name": "churn", "model_version": 3, "message": "accuracy 0.7"},
    "Performance Recovered": {"model_name": "churn", "model_version": 3, "message": "accuracy 0.9"},
    "Approval Requested": {"model_name": "churn", "version": 3, "stage": "Production", "actor": "ann", "reason": "x"},
    "Retrain Requested": {"model_name": "churn", "reason": "drift", "retrain_id": "r1"},
    "Job Ended": {"job_id": "job_000001", "status": "failed", "model_name": None, "experiment_name": "e", "error": "x"},
    "Sweep Ended": {"job_id": "sweep_000001", "status": "completed", "model_name": "churn", "experiment_name": "e"},
    "Batch Prediction Ended": {"batch_id": "batch_1", "status": "cancelled", "model_name": "churn"},
    "Cleanup Ended": {"cleanup_id": "cleanup_1", "binned": 1, "purged": 2, "removed": 3, "failed": 0, "freed_bytes": 9},
}


def test_all_events_are_tested() -> None:
    assert EVENTS.keys() == set(DETAIL_TYPES)


@pytest.mark.parametrize(("detail_type", "detail"), EVENTS.items())
def test_each_event_has_both_formats(detail_type: str, detail: dict[str, Any]) -> None:
    happened = read_event({**TRANSITION, "detail-type": detail_type, "detail": detail})
    assert json.loads(body_of(happened, "standard"))["data"] == detail
    text = json.loads(body_of(happened, "slack"))["text"]
    assert (happened.name if happened.name != "*" else "cleanup") in text
    assert "None" not in text


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"webhook_id": "w", "event": {}}', '{"webhook_id": 1, "event": null}', "[" * 100_000]
)
def test_what_is_no_message_is_set_aside_by_the_queue(platform: Platform, body: str) -> None:
    boto3.client("sqs").send_message(QueueUrl=platform.queue_url, MessageBody=body or " ")
    with pytest.raises(MalformedMessage):
        platform.deliver()


def test_a_message_of_a_later_version_is_read() -> None:
    event = {"type": "job.failed", "identity": "i", "name": "n", "timestamp": "t", "data": {}, "more": 1}
    assert read_message(json.dumps({"webhook_id": "w", "event": event, "more": 2})).event.name == "n"


def test_lambda_is_told_which_messages_stay(
    platform: Platform, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook_delivery.deliverer._deliverer", lambda: platform.deliverer)
    platform.create()
    platform.happens()
    (record,) = platform.messages()
    receiver.answers = [500]
    assert app.handler({"Records": [record]}, CONTEXT) == {
        "batchItemFailures": [{"itemIdentifier": record["messageId"]}]
    }
    assert app.handler({"Records": [record]}, CONTEXT) == {"batchItemFailures": []}
