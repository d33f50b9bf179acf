"""Webhooks on moto's AWS: the API, the fan-out and the deliverer are real, and so is the https server that receives."""

import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from mlops.api.auth import AccessKeys
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.webhook_queue import WebhookQueue
from mlops.aws.webhook_secrets import WebhookSecrets
from mlops.aws.webhooks_table import WebhooksTable
from tests.support import gateway
from tests.support.https_receiver import Receiver, receiving
from tests.support.tables import make_table
from webhook_delivery.deliverer import Deliverer
from webhook_delivery.retries import Retries, RetrySettings
from webhook_delivery.transport import Transport
from webhooks.administration import Administration
from webhooks.app import handler
from webhooks.fan_out import FanOut

HOST, PUBLIC = "hooks.example.com", "93.184.215.14"
PAUSES = (5, 300, 1800, 7200, 18000, 36000, 18000)
VISIBILITY = 45
TRANSITION = {
    "id": "11111111-0000-4000-8000-000000000000",
    "source": "mlops",
    "detail-type": "Model Transition",
    "time": "2026-06-01T12:00:00Z",
    "detail": {
        "transition_id": "tr_1",
        "model_name": "churn",
        "version": 3,
        "stage": "Production",
        "status": "succeeded",
        "reason": "more accurate",
        "error": None,
    },
}


@dataclass
class Road:
    """The way to receivers: what the names resolve to, and where connections to addresses really lead."""

    port: int
    names: dict[str, list[str]] = field(default_factory=lambda: {HOST: [PUBLIC]})
    resolved: list[str] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)
    away: set[str] = field(default_factory=set)

    def resolve(self, host: str) -> list[str]:
        self.resolved.append(host)
        if host not in self.names:
            raise socket.gaierror(-2, "Name or service not known")
        return self.names[host]

    def connect(self, address: tuple[str, int], timeout: float) -> socket.socket:
        self.connected.append(address)
        if address[0] in self.away:
            raise ConnectionRefusedError(111, "Connection refused")
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def transport(self, authority: Path, seconds: float = 5.0) -> Transport:
        return Transport(self.resolve, self.connect, ssl.create_default_context(cafile=str(authority)), seconds)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path, HOST) as started:
        yield started


@pytest.fixture
def road(receiver: Receiver) -> Road:
    return Road(receiver.port)


@dataclass
class Platform:
    """All that takes part, with a queue that tests empty by hand."""

    table: WebhooksTable
    deliverer: Deliverer
    queue_url: str

    def ask(self, method: str, path: str, body: Any = None, key: str = gateway.KEY_ID) -> tuple[int, dict[str, Any]]:
        event = gateway.api_event(method, path, None if body is None else json.dumps(body), key=key)
        answer = handler(event, gateway.CONTEXT)
        return answer["statusCode"], json.loads(answer["body"])

    def create(self, **fields: Any) -> dict[str, Any]:
        status, made = self.ask("POST", "/webhooks", {"url": f"https://{HOST}/in?a=b", "events": ["*"], **fields})
        assert status == 201, made
        return made

    def happens(self, event: dict[str, Any] = TRANSITION) -> None:
        handler(event, gateway.CONTEXT)

    def messages(self) -> list[dict[str, Any]]:
        """Take what is visible in the queue, as Lambda hands it to the deliverer."""
        answer = boto3.client("sqs").receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, AttributeNames=["ApproximateReceiveCount"]
        )
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            for message in answer.get("Messages", [])
        ]

    def deliver(self) -> list[bool]:
        """Let the deliverer try all messages that are visible. What it has done is deleted, as Lambda does."""
        done = []
        for record in self.messages():
            done.append(self.deliverer.deliver(record))
            if done[-1]:
                boto3.client("sqs").delete_message(QueueUrl=self.queue_url, ReceiptHandle=record["receiptHandle"])
        return done

    def show(self, webhook_id: str) -> dict[str, Any]:
        status, detail = self.ask("GET", f"/webhooks/{webhook_id}")
        assert status == 200, detail
        return detail


@pytest.fixture
def platform(aws: None, road: Road, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Platform:
    table = WebhooksTable(DynamoTable(make_table("WebhooksTable", "webhooks")))
    secrets = WebhookSecrets("/mlops-test/webhooks")
    sqs = boto3.client("sqs")
    dead = sqs.create_queue(QueueName="webhooks-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": len(PAUSES) + 1})
    url = sqs.create_queue(
        QueueName="webhooks", Attributes={"VisibilityTimeout": str(VISIBILITY), "RedrivePolicy": redrive}
    )["QueueUrl"]
    queue = WebhookQueue(url)
    administration, fan_out = Administration(table, secrets, queue), FanOut(table, queue)
    monkeypatch.setattr("webhooks.administration._administration", lambda: administration)
    monkeypatch.setattr("webhooks.fan_out._fan_out", lambda: fan_out)
    monkeypatch.setenv("ACCESS_KEYS_TABLE", gateway.make_access_keys())
    monkeypatch.setenv("ALERTS_TOPIC", boto3.client("sns").create_topic(Name="alerts")["TopicArn"])
    keys = AccessKeys.from_environment()
    keys.add("trainer", "tom", "train")
    keys.add("churn-admin", "cleo", "admin", ("churn*",))
    settings = RetrySettings(url, VISIBILITY, ",".join(map(str, PAUSES)))
    # As the deployed function has them: the deliverer's own reader of parameters, with nothing in its memory.
    deliverer = Deliverer(
        table, WebhookSecrets("/mlops-test/webhooks"), road.transport(receiver.authority), Retries(settings)
    )
    return Platform(table, deliverer, url)
