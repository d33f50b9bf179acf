"""Fixtures: an S3 (moto's server), and the predict function loaded afresh as a Lambda environment loads it."""

import importlib
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.support.serving import Served


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket_name(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of the test's own, and the environment that predict is deployed with."""
    name = f"artifacts-{uuid.uuid4().hex[:12]}"
    for variable, value in {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "ARTIFACT_BUCKET": name,
        "DEFAULT_MODEL_NAME": "digit-classifier",
        "MODEL_REFRESH_SECONDS": "5",
    }.items():
        monkeypatch.setenv(variable, value)
    for variable in ("AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        monkeypatch.delenv(variable, raising=False)
    boto3.client("s3").create_bucket(Bucket=name)
    return name


@dataclass
class Store:
    """The bucket, as promotion writes it."""

    bucket: str
    client: Any

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def promote(self, served: Served) -> None:
        for key, data in served.objects().items():
            self.put(key, data)


@pytest.fixture
def store(bucket_name: str) -> Store:
    return Store(bucket_name, boto3.client("s3"))


class Answered:
    """A response of the handler, and the line it logged."""

    def __init__(self, response: dict[str, Any]) -> None:
        self.status: int = response["statusCode"]
        self.headers: dict[str, str] = response["headers"]
        self.text: str = response["body"]
        self.json: Any = json.loads(self.text)

    @property
    def without_id(self) -> dict[str, Any]:
        """The answer without the prediction's id, which is another one each time."""
        return {name: value for name, value in self.json.items() if name != "prediction_id"}


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Predict:
    app: ModuleType
    clock: Clock

    def call(self, body: Any, path: str = "/predict", method: str = "POST", **event: Any) -> Answered:
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        return Answered(self.app.handler(proxy_event(text, path, method) | event, None))

    def get(self, resource: str, parameters: dict[str, str], query: dict[str, str] | None = None) -> Answered:
        return self.call(None, resource, "GET", pathParameters=parameters, queryStringParameters=query or None)

    def post(
        self, resource: str, parameters: dict[str, str], body: Any, content_type: str = "application/json", **event: Any
    ) -> Answered:
        headers = {"Content-Type": content_type}
        return self.call(body, resource, pathParameters=parameters, **{"headers": headers, **event})


def proxy_event(body: str | None, path: str = "/predict", method: str = "POST") -> dict[str, Any]:
    """An event of API Gateway's REST proxy integration."""
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json"},
        "queryStringParameters": None,
        "requestContext": {"requestId": "request-1", "identity": {"apiKeyId": "key-1"}},
        "body": body,
        "isBase64Encoded": False,
    }


@pytest.fixture
def start(bucket_name: str) -> Callable[[], Predict]:
    """Starts the function: what it finds in the bucket then is what a cold start finds."""
    from predict import app

    def starting() -> Predict:
        clock = Clock()
        importlib.reload(app)  # its body is what Lambda runs at a cold start
        app.models._clock = clock
        for slot in app.models._slots.values():
            slot.confirmed, slot.due = clock.now, clock.now + 5
        for key in app.models._refused:
            app.models._refused[key] = clock.now + 5
        return Predict(app, clock)

    return starting


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """The log lines since the last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
