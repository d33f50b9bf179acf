"""Asynchronous invocations: bounded, gathered, tried again."""

import base64
import gzip
import json
import threading
import time

import pytest

from infra.local.aws import deliveries as module
from infra.local.aws.deliveries import Deliveries
from tests.support.waiting import eventually

SUBSCRIPTION = {"destinationArn": "arn:aws:lambda:us-east-1:000000000000:function:log", "filterName": "predictions"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(module, "_GATHER_SECONDS", 0.05)


class Functions:
    """A function that fails its first `failures` calls, and what it was called with."""

    def __init__(self, failures=0):
        self.failures = failures
        self.calls = []
        self.given_up = []
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()

    def execute(self, record, event):
        with self.lock:
            self.calls.append(event)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            failed = len(self.calls) <= self.failures
        time.sleep(0.005)
        with self.lock:
            self.at_once -= 1
        return {"error": True} if failed else {}

    def deliveries(self, **more):
        return Deliveries(self.execute, lambda name: {"name": name}, lambda *given: self.given_up.append(given), **more)


def lines_of(event):
    return json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))


def test_no_more_than_the_width_run_at_a_time():
    functions = Functions()
    deliveries = functions.deliveries(width=3)
    for number in range(20):
        deliveries.invoke({}, number)
    deliveries.close()
    assert sorted(functions.calls) == list(range(20))
    assert functions.most_at_once <= 3


def test_a_failed_event_is_tried_twice_more():
    functions = Functions(failures=2)
    functions.deliveries().invoke({}, "event")
    eventually(lambda: len(functions.calls) == 3)
    assert functions.given_up == []


def test_an_event_that_fails_every_time_is_given_up_with_its_result():
    functions = Functions(failures=99)
    functions.deliveries().invoke({"name": "f"}, "event")
    eventually(lambda: functions.given_up)
    assert functions.given_up == [({"name": "f"}, "event", {"error": True})]
    assert len(functions.calls) == 3


def test_lines_of_many_streams_go_in_one_call():
    functions = Functions()
    deliveries = functions.deliveries()
    for number in range(30):
        deliveries.log_events(SUBSCRIPTION, "/predict", f"stream-{number}", [{"message": str(number), "timestamp": 1}])
    deliveries.close()
    (event,) = functions.calls
    sent = lines_of(event)
    assert [line["message"] for line in sent["logEvents"]] == [str(number) for number in range(30)]
    assert len({line["id"] for line in sent["logEvents"]}) == 30
    assert (sent["logGroup"], sent["subscriptionFilters"]) == ("/predict", ["predictions"])


def test_a_retried_batch_has_the_same_ids():
    functions = Functions(failures=1)
    deliveries = functions.deliveries()
    deliveries.log_events(SUBSCRIPTION, "/predict", "stream", [{"message": "a"}])
    eventually(lambda: len(functions.calls) == 2)
    assert functions.calls[0] == functions.calls[1]


def test_a_function_never_gets_its_own_log():
    functions = Functions()
    deliveries = functions.deliveries()
    deliveries.log_events(SUBSCRIPTION, "/aws/lambda/log", "stream", [{"message": "a"}])
    deliveries.close()
    assert functions.calls == []
