"""People are told by e-mail that a transition waits for approval: what the topic of alerts gets."""

import json
import os
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from mlops.aws.approval_notices import ApprovalNotices
from mlops.domain.webhooks.event import NotAnEvent
from tests.unit.webhooks.conftest import TRANSITION, Platform

DETAIL = TRANSITION["detail"] | {  # type: ignore[operator]
    "status": "awaiting_approval",
    "actor": "ann",
    "approvals_needed": 2,
    "owners": ["bob", "cleo"],
    "void": None,
}
REQUESTED = TRANSITION | {"detail-type": "Approval Requested", "detail": DETAIL}


@pytest.fixture
def mail(platform: Platform) -> Callable[[], list[dict[str, Any]]]:
    """Takes what has come out of the topic."""
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    url = sqs.create_queue(QueueName="mail")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=os.environ["ALERTS_TOPIC"], Protocol="sqs", Endpoint=arn)

    def take() -> list[dict[str, Any]]:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    return take


def test_the_mail_says_what_waits_and_what_to_do(platform: Platform, mail: Callable[[], list[dict[str, Any]]]) -> None:
    platform.happens(REQUESTED)
    (told,) = mail()
    assert told["Subject"] == "Approval requested: churn version 3"
    assert told["Message"].splitlines() == [
        "churn version 3 waits for approval to move to Production.",
        "Requested by ann: more accurate",
        "Approvals that it needs: 2, by others than ann, with the role approve",
        "Owners of the model: bob, cleo",
        "",
        "GET /models/transitions/tr_1 shows the gate's results and what changed. Then",
        '  mlops approve tr_1 --comment "..."',
        '  mlops reject tr_1 --comment "..."',
        "Without a decision it is rejected after 7 days.",
    ]


def test_the_mail_of_a_rollout_says_where_its_plan_is(
    platform: Platform, mail: Callable[[], list[dict[str, Any]]]
) -> None:
    platform.happens(REQUESTED | {"detail": DETAIL | {"rollout_id": "ro_1"}})
    (told,) = mail()
    assert told["Message"].startswith("churn version 3 waits for approval to be rolled out to Production.\n")
    assert "\nGET /models/churn/rollouts/ro_1 shows the plan.\n" in told["Message"]


def test_it_says_why_a_transition_waits_again(platform: Platform, mail: Callable[[], list[dict[str, Any]]]) -> None:
    void = "the model's settings changed after the approval"
    platform.happens(REQUESTED | {"detail": DETAIL | {"void": void, "owners": [], "reason": None}})
    (told,) = mail()
    assert f"It waits again, because {void}" in told["Message"]
    assert "Owners" not in told["Message"]
    assert "no reason given" in told["Message"]


def test_other_events_send_no_mail(platform: Platform, mail: Callable[[], list[dict[str, Any]]]) -> None:
    platform.happens(TRANSITION)
    with pytest.raises(NotAnEvent):
        platform.happens({"detail-type": "Approval Requested", "detail": {}})
    assert mail() == []


def test_a_subject_is_not_longer_than_sns_takes(platform: Platform, mail: Callable[[], list[dict[str, Any]]]) -> None:
    platform.happens(REQUESTED | {"detail": DETAIL | {"model_name": "m" * 100}})
    (told,) = mail()
    assert len(told["Subject"]) == 100


def test_a_mail_that_could_not_be_sent_comes_with_the_next_try_and_webhooks_get_nothing_twice(
    platform: Platform, mail: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.create(events=["approval.requested"])

    def away(*_: Any) -> None:
        raise ConnectionError("SNS is away")

    with monkeypatch.context() as patch:
        patch.setattr(ApprovalNotices, "requested", away)
        with pytest.raises(ConnectionError):
            platform.happens(REQUESTED)
    assert mail() == []
    assert platform.deliver() == [True]
    platform.happens(REQUESTED)
    assert len(mail()) == 1
    platform.deliver()
    (webhook,) = platform.ask("GET", "/webhooks")[1]["webhooks"]
    assert len(platform.show(webhook["webhook_id"])["deliveries"]) == 1
