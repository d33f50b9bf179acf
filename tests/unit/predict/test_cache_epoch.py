"""DELETE /predict/cache: only an admin may, and only the promotion queue hears of it."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.support.serving import served
from tests.support.tables import make_table


@pytest.fixture
def queue(store: Any, start: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from mlops.api import auth as access
    from mlops.aws import promotion_queue as promotions

    table = f"{store.bucket}-keys"
    make_table("AccessKeysTable", table)
    for key, role in (("key-1", "admin"), ("key-2", "read"), ("key-3", "predict")):
        boto3.resource("dynamodb").Table(table).put_item(Item={"key_id": key, "name": f"name of {key}", "role": role})
    url = boto3.client("sqs").create_queue(QueueName=f"{store.bucket}.fifo", Attributes={"FifoQueue": "true"})[
        "QueueUrl"
    ]
    monkeypatch.setenv("ACCESS_KEYS_TABLE", table)
    monkeypatch.setenv("PROMOTION_QUEUE_URL", url)
    yield url
    access._keys_of.cache_clear()
    promotions._queue_at.cache_clear()


def messages(url: str) -> list[dict[str, Any]]:
    received = boto3.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
    )
    return received.get("Messages", [])


def test_an_admin_asks_promotion_for_a_new_epoch_of_both_stages(queue: str, start: Any, store: Any) -> None:
    store.promote(served(1))
    answer = start().call(None, "/predict/cache", "DELETE")
    assert answer.status == 202
    assert answer.json == {"status": "queued", "model_name": "digit-classifier", "stages": ["Production", "Staging"]}
    found = messages(queue)
    bodies = [json.loads(message["Body"]) for message in found]
    assert {body["stage"] for body in bodies} == {"Production", "Staging"}
    for message, body in zip(found, bodies, strict=True):
        assert body | {"stage": "", "transition_id": ""} == {
            "kind": "cache_epoch",
            "model_name": "digit-classifier",
            "stage": "",
            "actor": "name of key-1",
            "transition_id": "",
            "request_id": "request-1",
        }
        assert message["Attributes"]["MessageGroupId"] == "digit-classifier"
        assert message["Attributes"]["MessageDeduplicationId"] == body["transition_id"]
    assert store.client.head_object(Bucket=store.bucket, Key=served(1).manifest.key)  # nothing was written or removed


def test_another_model_can_be_named(queue: str, start: Any) -> None:
    answer = start().call(None, "/predict/cache", "DELETE", queryStringParameters={"model_name": "iris"})
    assert answer.json["model_name"] == "iris"
    bad = start().call(None, "/predict/cache", "DELETE", queryStringParameters={"model_name": "a/b"})
    assert bad.status == 422


def test_a_misspelled_parameter_does_not_stand_for_the_default_model(queue: str, start: Any) -> None:
    answer = start().call(None, "/predict/cache", "DELETE", queryStringParameters={"model": "iris"})
    assert (answer.status, [error["field"] for error in answer.json["errors"]]) == (422, ["model"])
    assert messages(queue) == []


@pytest.mark.parametrize("key", ["key-2", "key-3", "unknown", None, ""])
def test_no_other_role_may(queue: str, start: Any, key: str | None) -> None:
    identity = {"requestId": "request-1", "identity": {"apiKeyId": key}}
    answer = start().call(None, "/predict/cache", "DELETE", requestContext=identity)
    assert answer.status == 403
    assert messages(queue) == []


def test_a_queue_that_does_not_answer_is_503(queue: str, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMOTION_QUEUE_URL", queue.replace(".fifo", "-none.fifo"))
    answer = start().call(None, "/predict/cache", "DELETE")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
