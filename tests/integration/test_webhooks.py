"""Webhooks through the local stack: EventBridge, the fan-out, the queue and the deliverer, to a real https server.

The deliverer sends to public addresses only, so a server on this machine is out of its reach. Here its process gets
another Internet, by Python's own means (`PYTHONPATH` with a `sitecustomize`): names of this test resolve to a public
address, and connections to that address lead to the server. Its authority is trusted by OpenSSL's own `SSL_CERT_FILE`.
The deliverer's code is what is deployed, and knows nothing of it.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import psutil
import pytest

from infra.local import deploy
from infra.local.api import Api
from tests.integration.registry_world import make_world
from tests.support.bad_challengers import champion, kinds
from tests.support.https_receiver import Receiver, receiving
from tests.support.keys import make_key
from tests.support.steps import promote, train
from tests.support.waiting import eventually
from tests.unit.webhooks.test_signature import accepts

pytestmark = pytest.mark.slow
HOST, PRIVATE, PUBLIC = "hooks.example.com", "private.example.com", "93.184.215.14"
MODEL = "webhooks-told"
VISIBILITY = 4
INTERNET = f"""
import socket

ADDRESSES = {{"{HOST}": "{PUBLIC}", "{PRIVATE}": "127.0.0.1"}}
lookup = socket.getaddrinfo


def getaddrinfo(host, port, *arguments, **options):
    return lookup(ADDRESSES.get(host, host), port, *arguments, **options)


class Socket(socket.socket):
    def connect(self, address):
        super().connect(("127.0.0.1", PORT) if address[:2] == ("{PUBLIC}", 443) else address)


socket.getaddrinfo, socket.socket = getaddrinfo, Socket
"""


@pytest.fixture(scope="module")
def receiver(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver that the deliverer of the stack reaches."""
    folder = tmp_path_factory.mktemp("internet")
    lambdas = deploy.client(stack.settings, "lambda")
    function = deploy.physical_ids(stack.settings)["WebhookDeliveryFunction"]
    variables = lambdas.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    with receiving(folder, HOST) as started:
        (folder / "sitecustomize.py").write_text(f"PORT = {started.port}\n{INTERNET}")
        own = {"PYTHONPATH": str(folder), "SSL_CERT_FILE": str(started.authority)}
        own |= {"RETRY_SECONDS": ",".join(["1"] * 7), "VISIBILITY_SECONDS": str(VISIBILITY)}
        lambdas.update_function_configuration(FunctionName=function, Environment={"Variables": variables | own})
        try:
            yield started
        finally:
            lambdas.update_function_configuration(FunctionName=function, Environment={"Variables": variables})


@pytest.fixture
def webhook(api: Api, receiver: Receiver) -> Iterator[Callable[..., dict[str, Any]]]:
    """Makes webhooks, which are gone after the test; what was received before is forgotten."""
    receiver.requests.clear()
    receiver.answers.clear()
    made: list[str] = []

    def make(events: list[str], host: str = HOST, **fields: Any) -> dict[str, Any]:
        answer: dict[str, Any] = api.post("/webhooks", {"url": f"https://{host}/in", "events": events, **fields})
        made.append(answer["webhook_id"])
        return answer

    yield make
    for webhook_id in made:
        assert api.send("DELETE", f"/webhooks/{webhook_id}").status == 200


def deliveries(api: Api, webhook_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/webhooks/{webhook_id}")["deliveries"]
    return found


def test_a_job_and_a_promotion_are_told(api: Api, webhook: Callable[..., dict[str, Any]], receiver: Receiver) -> None:
    wanted = webhook(["job.*", "transition.succeeded"], models=["webhooks-*"])
    others = webhook(["*"], models=["another"])
    job = train(api, epochs=1, model_name=MODEL, experiment_name=MODEL)
    moved = promote(api, job["model_version"], "Staging", model=MODEL, reason="webhooks", force=True)
    assert moved["status"] == "succeeded", moved
    requests = receiver.wait(2)
    told = {json.loads(request.body)["type"]: json.loads(request.body)["data"] for request in requests}
    assert told.keys() == {"job.completed", "transition.succeeded"}
    assert told["job.completed"]["job_id"] == job["job_id"]
    assert told["transition.succeeded"]["transition_id"] == moved["transition_id"]
    for request in requests:
        assert request.headers["host"] == HOST
        assert accepts(wanted["secret"], request.headers, request.body)
    eventually(lambda: [each["state"] for each in deliveries(api, wanted["webhook_id"])] == ["delivered"] * 2)
    assert deliveries(api, others["webhook_id"]) == []


def test_a_way_back_that_waits_for_an_approval_is_told(
    api: Api,
    webhook: Callable[..., dict[str, Any]],
    receiver: Receiver,
    stack: Any,
    minute: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Labels are against the version in Production. Since it got there, the model's settings ask for approvals."""
    world = make_world(stack, monkeypatch, "webhooks-way-back")
    wrong = next(kind for kind in kinds() if kind.name == "wrong")
    for onnx, stage in ((champion(), "Production"), (wrong.onnx, "Staging")):
        assert promote(api, world.version(onnx), stage, world.model)["status"] == "succeeded"
    route = f"/models/{world.model}/rollouts"
    guardrails = {"max_latency_ratio": None, "max_disagreement": None, "min_accuracy_delta": 0.0}
    plan = {"version": 2, "steps": [{"weight": 1, "minutes": 60}], "shadow_share": 1.0, "guardrails": guardrails}
    route += f"/{api.post(route, {**plan, 'bake_days': 7})['rollout_id']}"
    labels = []
    for number in range(40):  # of the rows in which only the champion is right
        row = [*(float(place == number % 3) for place in range(3)), 0.1 + number / 100]
        answer = api.post("/predict", {"inputs": row, "model_name": world.model})
        labels.append({"prediction_id": answer["prediction_id"], "label": number % 3})
    api.wait(route, until=lambda rollout: rollout["phases"][0]["pairs"] >= 30, seconds=60)

    def after_a_look(status: str) -> Any:
        minute()
        rollout = api.get(route)
        return rollout if rollout["status"] == status else None

    api.post(f"{route}/complete", {})
    eventually(lambda: after_a_look("baking"), pause=1)
    settings = {"approvals": {"Production": 1}, "owners": ["ann"]}
    body = {"expected_version": 0, "settings": settings, "reason": "audit"}
    assert api.send("PUT", f"/models/{world.model}/settings", body).status == 200
    webhook(["approval.requested", "rollout.*"], models=[world.model])
    api.post("/feedback/batch", {"model_name": world.model, "labels": labels})
    returning = eventually(lambda: after_a_look("returning"), pause=1)

    (request,) = receiver.wait(1)
    told = json.loads(request.body)
    assert (told["type"], told["data"]["owners"]) == ("approval.requested", ["ann"])
    assert told["data"]["transition_id"] == returning["rollback_id"]
    assert (told["data"]["version"], told["data"]["replaced_version"]) == (1, 2)
    assert f"{returning['rollout_id']}: min_accuracy_delta: the accuracy on" in told["data"]["reason"]
    # The console's start page has this number of each model, and the rollout's note.
    (listed,) = [each for each in api.get("/models?limit=100")["models"] if each["name"] == world.model]
    assert (listed["awaiting_approval"], listed["production_version"]) == (1, 2)
    waits = f"; the transition {returning['rollback_id']} waits for an approval"
    eventually(lambda: (after_a_look("returning") or {"note": ""})["note"].endswith(waits), pause=1)

    transition = f"/models/transitions/{returning['rollback_id']}"
    own = api.get("/me")["owner"]
    again = Api(stack.api_url, make_key(stack.env, "way-back-again", "approve", owner=own))
    assert again.send("POST", f"{transition}/approve", {}).status == 403, "another key of who asked for the rollout"
    ann = Api(stack.api_url, make_key(stack.env, "way-back-ann", "approve", owner="ann"))
    assert ann.post(f"{transition}/approve?wait=20", {})["status"] == "succeeded"
    ended = eventually(lambda: after_a_look("rolled_back"), pause=1)
    assert (ended["broken"], waits in ended["note"]) == ("min_accuracy_delta", False)
    assert api.get(f"/models/{world.model}")["production_version"] == 1
    assert json.loads(receiver.wait(2)[-1].body)["type"] == "rollout.rolled_back"


def test_a_message_is_tried_eight_times_and_is_then_a_dead_letter(
    api: Api, webhook: Callable[..., dict[str, Any]], receiver: Receiver, stack: Any
) -> None:
    made = webhook(["job.failed"])
    receiver.answers = [500] * 8
    message_id = api.post(f"/webhooks/{made['webhook_id']}/test")["message_id"]
    requests = receiver.wait(8, seconds=120)
    assert {request.headers["webhook-id"] for request in requests} == {message_id}
    assert all(accepts(made["secret"], request.headers, request.body) for request in requests)
    detail = api.wait(f"/webhooks/{made['webhook_id']}", until=lambda each: bool(each["dead_letters"]), seconds=60)
    (dead,) = detail["dead_letters"]
    assert (dead["message_id"], dead["state"], dead["attempts"]) == (message_id, "dead", 8)
    sqs = deploy.client(stack.settings, "sqs")
    queue = deploy.physical_ids(stack.settings)["WebhookDeadLetters"]
    letters = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), 60, pause=1)
    assert made["webhook_id"] in letters[0]["Body"]
    sqs.purge_queue(QueueUrl=queue)
    assert len(receiver.requests) == 8


def test_a_receiver_that_comes_back_gets_the_message(
    api: Api, webhook: Callable[..., dict[str, Any]], receiver: Receiver
) -> None:
    made = webhook(["*"])
    receiver.answers = [503, 302]
    api.post(f"/webhooks/{made['webhook_id']}/test")
    first, *others = receiver.wait(3)
    assert {request.headers["webhook-id"] for request in others} == {first.headers["webhook-id"]}
    eventually(lambda: [each["state"] for each in deliveries(api, made["webhook_id"])] == ["delivered"])


def test_a_private_address_gets_nothing(api: Api, webhook: Callable[..., dict[str, Any]], receiver: Receiver) -> None:
    made = webhook(["*"], host=PRIVATE)
    api.post(f"/webhooks/{made['webhook_id']}/test")
    (delivery,) = eventually(lambda: [each for each in deliveries(api, made["webhook_id"]) if each["error"]])
    assert "127.0.0.1, which is not a public one" in delivery["error"]
    assert receiver.requests == []


def test_a_deliverer_that_is_killed_costs_one_try(
    api: Api, webhook: Callable[..., dict[str, Any]], receiver: Receiver
) -> None:
    made = webhook(["*"])
    killed: list[float] = []

    def kill(handler: BaseHTTPRequestHandler) -> None:
        port = handler.client_address[1]
        for connection in psutil.net_connections("tcp4"):
            if connection.laddr and connection.laddr.port == port and connection.pid not in (None, os.getpid()):
                os.kill(connection.pid, signal.SIGKILL)
                killed.append(time.monotonic())

    receiver.answers = [kill]
    api.post(f"/webhooks/{made['webhook_id']}/test")
    first, second = receiver.wait(2)
    assert len(killed) == 1
    assert time.monotonic() - killed[0] > VISIBILITY - 1, "hidden until the next try was due"
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    (delivery,) = eventually(
        lambda: [each for each in deliveries(api, made["webhook_id"]) if each["state"] == "delivered"]
    )
    assert delivery["attempts"] == 2


def test_an_address_is_not_shown_and_a_secret_is_not_kept_in_the_table(
    api: Api, webhook: Callable[..., dict[str, Any]], stack: Any, receiver: Receiver
) -> None:
    made = webhook(["*"], description="a team")
    rotated = api.post(f"/webhooks/{made['webhook_id']}/secret")
    table = deploy.physical_ids(stack.settings)["WebhooksTable"]
    kept = json.dumps(deploy.client(stack.settings, "dynamodb").scan(TableName=table)["Items"])
    shown = json.dumps([api.get("/webhooks"), api.get(f"/webhooks/{made['webhook_id']}")])
    for text in (made["secret"], rotated["secret"], "/in"):
        assert text not in kept
        assert text not in shown
    api.post(f"/webhooks/{made['webhook_id']}/test")
    (request,) = receiver.wait(1)
    assert all(accepts(secret, request.headers, request.body) for secret in (made["secret"], rotated["secret"]))
