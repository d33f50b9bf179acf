"""A message that failed comes again after 1x, 4x the delay, and leaves its group at once after its last try."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.domain.errors import DependencyUnavailable
from promotion.outages import outages
from promotion.retries import Retries, RetrySettings


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
    made = Retries(RetrySettings(promotion_queue_url="queue", max_receives=3, retry_seconds=15))
    made._sqs = sqs
    return made


@pytest.mark.parametrize(("received", "delay"), [(1, 15), (2, 60), (3, 0), (4, 0)])
def test_the_delay_grows_and_the_last_try_frees_the_group(received, delay):
    sqs = Sqs()
    retries(sqs).postpone({"receiptHandle": "h", "attributes": {"ApproximateReceiveCount": str(received)}})
    assert sqs.calls == [{"QueueUrl": "queue", "ReceiptHandle": "h", "VisibilityTimeout": delay}]


def test_a_queue_that_does_not_answer_leaves_the_first_error_to_be_raised():
    record = {"receiptHandle": "h", "attributes": {"ApproximateReceiveCount": "1"}}
    sqs = Sqs(refusal("InternalError", 500))
    retries(sqs).postpone(record)
    assert sqs.calls == [{"QueueUrl": "queue", "ReceiptHandle": "h", "VisibilityTimeout": 15}]


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
