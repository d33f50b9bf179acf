"""mlops webhooks and the SDK, against the function itself: the requests are those that the API takes."""

import asyncio
import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner, Result

from mlops_client import Client
from mlops_client.cli import app
from mlops_client.errors import Invalid, NotFound
from tests.support import gateway
from tests.support.https_receiver import Receiver
from tests.unit.webhooks.conftest import HOST, Platform
from tests.unit.webhooks.test_signature import accepts
from webhooks.app import handler

URL = f"https://{HOST}/in"


@pytest.fixture
def address(platform: Platform) -> Iterator[str]:
    """The function behind an HTTP server, as it is behind API Gateway; the queue is emptied after each request."""

    class Gateway(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode() or None
            event = gateway.api_event(self.command, urlsplit(self.path).path, body)
            event["requestContext"]["requestId"] = str(uuid.uuid4())
            answer = handler(event, gateway.CONTEXT)
            platform.deliver()
            content = answer["body"].encode()
            self.send_response(answer["statusCode"])
            self.send_header("content-type", answer["headers"]["content-type"])
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Gateway)

    def serve() -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())  # Mangum finds that of its thread
        server.serve_forever(0.02)

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def mlops(address: str, *words: str) -> Result:
    return CliRunner().invoke(app, ["--url", address, "--key", "k", "webhooks", *words])


def test_the_sdk_makes_tests_rotates_and_deletes(address: str, receiver: Receiver) -> None:
    client = Client(address, "k")
    made = client.create_webhook(URL, ["transition.*"], format="standard", models=["churn*"], description="team")
    assert (made.host, made.events, made.models, made.description) == (HOST, ["transition.*"], ["churn*"], "team")
    assert [each.webhook_id for each in client.webhooks()] == [made.webhook_id]
    message_id = client.test_webhook(made.webhook_id).message_id
    (delivery,) = client.webhook(made.webhook_id).deliveries
    assert (delivery.message_id, delivery.state, delivery.response_status) == (message_id, "delivered", 204)
    rotated = client.rotate_webhook_secret(made.webhook_id)
    client.test_webhook(made.webhook_id)
    (_, request) = receiver.wait(2)
    assert accepts(rotated.secret, request.headers, request.body)
    assert client.delete_webhook(made.webhook_id).webhook_id == made.webhook_id
    with pytest.raises(NotFound):
        client.webhook(made.webhook_id)
    with pytest.raises(Invalid, match=r"transition\.succeeded"):
        client.create_webhook(URL, ["nothing"])


def test_the_command_line(address: str, receiver: Receiver) -> None:
    made = mlops(address, "create", URL, "-e", "drift.alert", "-e", "job.*", "-m", "churn*", "--format", "slack")
    assert made.exit_code == 0, made.output
    webhook_id = made.output.split()[0]
    assert "secret: whsec_" in made.output
    listed = json.loads(mlops(address, "list", "--json").output)
    assert [(each["webhook_id"], each["events"]) for each in listed] == [(webhook_id, ["drift.alert", "job.*"])]
    assert webhook_id in mlops(address, "list").output
    tested = mlops(address, "test", webhook_id)
    assert (tested.exit_code, "delivered: the answer was 204" in tested.output) == (0, True)
    assert "text" in json.loads(receiver.requests[0].body)
    receiver.answers = [500]
    failed = mlops(address, "test", webhook_id)
    assert (failed.exit_code, "the answer was 500" in failed.output) == (1, True)
    shown = mlops(address, "show", webhook_id).output
    assert all(word in shown for word in ("retrying", "delivered", "churn*", HOST))
    assert mlops(address, "rotate", webhook_id).output.startswith("secret: whsec_")
    assert mlops(address, "delete", webhook_id).exit_code == 0
    assert "no webhooks" in mlops(address, "list").output


def test_no_request_that_makes_a_secret_is_repeated(address: str, platform: Platform) -> None:
    """A repetition would make a second webhook whose secret nobody has seen."""
    received = []
    original = handler

    def broken(event: dict[str, object], context: object) -> dict[str, object]:
        received.append(event["httpMethod"])
        original(event, context)
        raise ConnectionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.unit.webhooks.test_client.handler", broken)
        result = mlops(address, "create", URL, "-e", "*")
    assert result.exit_code != 0
    assert received == ["POST"]
