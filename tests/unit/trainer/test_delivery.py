"""Deliveries: in order, tried again, given up on with the address."""

import threading
import time
from decimal import InvalidOperation

import pytest
from botocore.exceptions import ClientError
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, INVALID_PARAMETER_VALUE

from trainer import delivery
from trainer.delivery import BackgroundSender, refused_for_good, retry
from trainer.errors import ParameterError, Unreachable


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(delivery, "LONGEST_PAUSE", 0.05)


class Flaky:
    """Fails `failures` times, then takes what it is given."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.left, self.error, self.taken = failures, error or ConnectionError("away"), []

    def take(self, item: object) -> None:
        if self.left:
            self.left -= 1
            raise self.error
        self.taken.append(item)


def test_in_order_through_an_outage():
    service, sender = Flaky(3), BackgroundSender("there", max_wait=5)
    for number in range(5):
        sender.send(lambda number=number: service.take(number))
    sender.flush()
    assert service.taken == [0, 1, 2, 3, 4]


def test_only_the_latest_of_a_key_is_delivered():
    held, service = threading.Event(), Flaky(0)
    sender = BackgroundSender("there", max_wait=5)
    sender.send(held.wait)
    for number in range(5):
        sender.send(lambda number=number: service.take(number), latest="state")
    sender.send(lambda: service.take("end"))
    held.set()
    sender.flush()
    assert service.taken == [4, "end"]


def test_the_longest_wait_ends_with_the_address_and_the_reason():
    sender = BackgroundSender("MLflow at http://there", max_wait=0.1)
    sender.send(lambda: Flaky(99, TimeoutError("no answer")).take(1))
    with pytest.raises(Unreachable, match=r"MLflow at http://there: .*TimeoutError: no answer"):
        sender.flush()
    with pytest.raises(Unreachable):
        sender.send(lambda: None)


def test_a_refusal_is_not_repeated():
    refusal = ClientError({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "PutObject")
    service, sender = Flaky(99, refusal), BackgroundSender("s3://there", max_wait=60)
    sender.send(lambda: service.take(1))
    with pytest.raises(Unreachable, match="refused"):
        sender.flush()
    assert service.left == 98


def test_a_reason_for_people_passes_unchanged():
    def refuse() -> None:
        raise ParameterError("choose another name")

    with pytest.raises(ParameterError, match="choose another name"):
        retry("there", refuse, max_wait=60)


def test_a_flush_with_a_deadline_does_not_wait_for_the_longest_wait():
    sender = BackgroundSender("there", max_wait=600)
    sender.send(lambda: Flaky(999).take(1))
    began = time.monotonic()
    with pytest.raises(Unreachable):
        sender.flush(within=0.2)
    assert time.monotonic() - began < 5


def test_a_closed_sender_ends_its_thread_after_the_last_delivery():
    service, sender = Flaky(1), BackgroundSender("there", max_wait=5)
    sender.send(lambda: service.take(1))
    sender.close()
    sender._thread.join(5)
    assert service.taken == [1]
    assert not sender._thread.is_alive()


@pytest.mark.parametrize(
    ("error", "for_good"),
    [
        (ConnectionError(), False),
        (TimeoutError(), False),
        (MlflowException("API request failed with connection refused"), False),
        (RestException({"error_code": "INVALID_PARAMETER_VALUE"}), True),
        (RestException({"error_code": "TEMPORARILY_UNAVAILABLE"}), False),
        (ClientError({"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "PutObject"), False),
        (ClientError({"Error": {"Code": "Throttling"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "Put"), False),
        (ClientError({"Error": {"Code": "NoSuchBucket"}, "ResponseMetadata": {"HTTPStatusCode": 404}}, "Put"), True),
        (TypeError(), True),
        (InvalidOperation(), True),
    ],
)
def test_what_is_tried_again(error: Exception, for_good: bool):
    assert refused_for_good(error) is for_good


def test_two_runs_that_meet_at_one_row_of_mlflow_are_not_refused_for_good():
    met = MlflowException("(psycopg2.errors.UniqueViolation) duplicate key", error_code=BAD_REQUEST)
    assert not refused_for_good(met)
    assert refused_for_good(MlflowException("no such column", error_code=BAD_REQUEST))


def test_what_mlflow_says_of_the_request_is_passed_on():
    def refuse():
        raise MlflowException("Invalid value 'a=b' for parameter 'name'", error_code=INVALID_PARAMETER_VALUE)

    with pytest.raises(Unreachable, match=r"refused .*Invalid value 'a=b' for parameter 'name'"):
        retry("MLflow at http://x", refuse, max_wait=1)


def test_sql_in_mlflows_answer_is_not_passed_on():
    def refuse():
        raise MlflowException("(psycopg2.errors.Something) INSERT INTO secret", error_code=BAD_REQUEST)

    with pytest.raises(Unreachable) as caught:
        retry("MLflow at http://x", refuse, max_wait=1)
    assert "INSERT" not in str(caught.value)
    assert "BAD_REQUEST" in str(caught.value)
