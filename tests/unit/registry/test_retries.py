"""A message stays hidden while it is worked on. After a failure it comes again, and leaves its group after the last."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.domain.errors import DependencyUnavailable
from promotion import app
from promotion.outages import outages
from promotion.retries import Retries, RetrySettings

MESSAGE = {"kind": "cache_epoch", "transition_id": "tr_1", "model_name": "m", "stage": "Production"}
RECORD = {"receiptHandle": "h", "attributes": {"ApproximateReceiveCount": "1"}, "body": json.dumps(MESSAGE)}
CONTEXT = {
    "function_name": "promotion",
    "memory_limit_in_mb": 1769,
    "invoked_function_arn": "arn:aws:lambda:us-east-1:123456789012:function:promotion",
    "aws_request_id": "r",
}


class Sqs:
    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self._error = error

    def change_message_visibility(self, **arguments: Any) -> None:
        self.calls.append(arguments)
        if self._error:
            raise self._error


def refusal(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Call")


def retries(sqs: Sqs) -> Retries:
    made = Retries(RetrySettings(promotion_queue_url="queue", max_receives=3, visibility_seconds=90, retry_seconds=15))
    made._sqs = sqs
    return made


@pytest.mark.parametrize(("received", "delay"), [(1, 15), (2, 60), (3, 0), (4, 0)])
def test_the_delay_grows_and_the_last_try_frees_the_group(received, delay):
    sqs = Sqs()
    retries(sqs).postpone({"receiptHandle": "h", "attributes": {"ApproximateReceiveCount": str(received)}})
    assert sqs.calls == [{"QueueUrl": "queue", "ReceiptHandle": "h", "VisibilityTimeout": delay}]


def test_a_queue_that_does_not_answer_leaves_the_first_error_to_be_raised():
    sqs = Sqs(refusal("InternalError", 500))
    retries(sqs).postpone(RECORD)
    assert sqs.calls == [{"QueueUrl": "queue", "ReceiptHandle": "h", "VisibilityTimeout": 15}]


def test_a_message_is_hidden_anew_when_work_on_it_begins():
    sqs = Sqs()
    retries(sqs).begin(RECORD)
    assert sqs.calls == [{"QueueUrl": "queue", "ReceiptHandle": "h", "VisibilityTimeout": 90}]


def test_a_message_whose_time_is_over_is_not_begun_because_it_is_delivered_again(monkeypatch):
    sqs, handled = Sqs(refusal("InvalidParameterValue", 400)), []
    monkeypatch.setattr(app.Retries, "from_environment", lambda: retries(sqs))
    monkeypatch.setattr(app.Promoter, "from_environment", lambda: SimpleNamespace(handle=handled.append))
    with pytest.raises(ClientError):
        app.handler({"Records": [RECORD]}, SimpleNamespace(**CONTEXT))
    assert handled == []
    assert len(sqs.calls) == 1, "whoever has it now says when it comes again"


def test_an_event_that_did_not_come_from_the_queue_is_carried_out(monkeypatch):
    sqs, handled = Sqs(refusal("ReceiptHandleIsInvalid", 404)), []
    monkeypatch.setattr(app.Retries, "from_environment", lambda: retries(sqs))
    monkeypatch.setattr(app.Promoter, "from_environment", lambda: SimpleNamespace(handle=handled.append))
    app.handler({"Records": [RECORD]}, SimpleNamespace(**CONTEXT))
    assert handled == [MESSAGE]


@pytest.mark.parametrize(
    ("code", "status", "passes"),
    [
        ("InternalError", 500, True),
        ("SlowDown", 503, True),
        ("ThrottlingException", 400, True),
        ("PreconditionFailed", 412, True),
        ("AccessDenied", 403, False),
        ("ValidationException", 400, False),
    ],
)
def test_an_outage_is_told_from_a_refusal(code, status, passes):
    with pytest.raises(DependencyUnavailable if passes else ClientError), outages():
        raise refusal(code, status)
