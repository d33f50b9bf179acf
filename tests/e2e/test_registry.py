"""The registry through the API on the whole stack: many at once, poison, outages, lost messages, hands in MLflow."""

import contextlib
import hashlib
import itertools
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import urllib3

from infra.local.api import Api, ApiError
from infra.local.settings import ROOT
from infra.local.stack import Stack
from mlops.aws.promotion_queue import PromotionQueue, request_transition
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.examination import GATE_REVISION
from mlops.domain.manifest import manifest_key, model_key
from mlops.domain.model_description import ModelInput, ModelOutput
from mlops.domain.stages import Stage
from mlops.domain.transition import Transition, new_transition_id
from reconcile.lost_messages import LostMessages, ResendSettings
from tests.integration.registry_world import World, make_world
from tests.support import onnx_models
from tests.support.waiting import eventually

_numbers = itertools.count(1)


@pytest.fixture
def world(stack, monkeypatch) -> World:
    """A new model."""
    return make_world(stack, monkeypatch, f"registry-{next(_numbers)}")


@pytest.fixture
def queue(outputs, world) -> PromotionQueue:
    return PromotionQueue(outputs["PromotionQueueUrl"])


def ended(api: Api, identifier: str) -> dict[str, Any]:
    done: dict[str, Any] = api.wait(
        f"/models/transitions/{identifier}", until=lambda answer: answer["status"] != "queued"
    )
    return done


class Poller(threading.Thread):
    """Looks, over and over, at all the places that say which version is in Production."""

    def __init__(self, world: World, api: Api) -> None:
        super().__init__(daemon=True)
        self._world, self._api, self._over = world, api, threading.Event()
        self.looks, self.most = 0, Counter[str]()

    def run(self) -> None:
        while not self._over.is_set():
            # On a busy machine a look may take too long.
            with contextlib.suppress(ApiError, DependencyUnavailable, urllib3.exceptions.HTTPError):
                self._look()
            time.sleep(0.5)  # much more often, and the looks take the processors from the transitions

    def _look(self) -> None:
        versions = self._api.get(f"/models/{self._world.model}")["versions"]
        found = list(self._world.tracking.versions(self._world.model))
        seen = {
            "API": sum(version["stage"] == "Production" for version in versions),
            "tag": sum(version.tags.get("stage") == "Production" for version in found),
            "MLflow's stage": sum(version.mlflow_stage == "Production" for version in found),
        }
        self.looks += 1
        self.most |= Counter(seen)

    def stop(self) -> None:
        self._over.set()
        self.join()


@pytest.mark.slow
def test_a_hundred_concurrent_transitions_of_ten_versions_leave_one_production(api, world):
    versions = [world.version() for _ in range(10)]
    requests = [(version, stage) for stage in ("Production", "Staging") * 5 for version in versions]
    all_at_once = threading.Barrier(len(requests))
    poller = Poller(world, api)
    poller.start()

    def ask(request: tuple[int, str]) -> str:
        version, stage = request
        key = new_transition_id()
        all_at_once.wait()
        while True:
            body = {"model_name": world.model, "version": version, "stage": stage}
            try:
                answer = api.send("POST", "/models/transition", body, {"Idempotency-Key": key})
            except urllib3.exceptions.HTTPError:  # whether it was taken is not known; the key makes it count once
                continue
            if answer.status == 202:
                return str(answer.json["transition_id"])
            if answer.status == 409 and answer.json["code"] == "transition_not_allowed":
                # This version has got there, or beyond, in the meantime; the next one has not.
                version, key = version % len(versions) + 1, new_transition_id()
            else:  # a busy machine, and the same request under way still
                assert answer.status in (409, 503, 504), answer.data
                time.sleep(1)

    with ThreadPoolExecutor(len(requests)) as pool:
        asked = list(pool.map(ask, requests))
    outcomes = Counter(ended(api, identifier)["status"] for identifier in sorted(asked))
    poller.stop()
    assert len(set(asked)) == outcomes.total() == 100
    assert set(outcomes) <= {"succeeded", "rejected"}  # rejected: not allowed any more when its turn came
    assert outcomes["succeeded"] >= 10
    assert poller.looks > 10
    assert max(poller.most.values()) == 1, poller.most

    # Everything that can say it names the same one version. Nobody asked for Archived, so there is one.
    holder = world.tracking.model(world.model).aliases["production"]
    state = world.state()
    assert state["manifests"]["Production"] == holder
    for mirror in ("tags", "mlflow"):
        assert [version for version, stage in state[mirror].items() if stage == "Production"] == [holder]
    assert api.get(f"/models/{world.model}")["production_version"] == holder
    assert world.agrees()

    # In the history each took over from the one before, so there never were two.
    history = api.get(f"/models/{world.model}/history?limit=100")["transitions"]
    assert {each["transition_id"] for each in history} == set(asked)
    reigns = [each for each in history if (each["stage"], each["status"]) == ("Production", "succeeded")]
    reigns.sort(key=lambda each: each["completed_at"])
    assert [each["replaced_version"] for each in reigns] == [None, *(each["version"] for each in reigns[:-1])]
    assert reigns[-1]["version"] == holder


@pytest.mark.slow
def test_a_poison_message_goes_to_the_dead_letters_alone(api, aws_client, outputs, world, queue, stack, monkeypatch):
    other = make_world(stack, monkeypatch, f"{world.model}-other")
    one, two, apart = world.version(), world.version(), other.version()
    sqs, dead = aws_client("sqs"), outputs["PromotionDeadLettersUrl"]
    before = len(received(sqs, dead))

    first = api.post("/models/transition", {"model_name": world.model, "version": one, "stage": "Production"})
    sqs.send_message(
        QueueUrl=outputs["PromotionQueueUrl"],
        MessageBody="{poison",
        MessageGroupId=world.model,
        MessageDeduplicationId=new_transition_id(),
    )
    third = api.post("/models/transition", {"model_name": world.model, "version": two, "stage": "Production"})
    beside = api.post("/models/transition", {"model_name": other.model, "version": apart, "stage": "Production"})

    for transition in (first, third, beside):
        assert ended(api, transition["transition_id"])["status"] == "succeeded"
    eventually(lambda: len(received(sqs, dead)) > before, 60)
    assert [message["Body"] for message in received(sqs, dead)][before:] == ["{poison"]
    assert world.agrees()
    assert other.agrees()


def received(sqs: Any, queue_url: str) -> list[dict[str, Any]]:
    """What lies in a queue, left there."""
    found: list[dict[str, Any]] = []
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=2)
        if not answer.get("Messages"):
            break
        found += answer["Messages"]
    for message in found:
        handle = message["ReceiptHandle"]
        sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=handle, VisibilityTimeout=0)
    return found


def test_a_transition_whose_message_was_never_sent_is_sent_by_reconcile(api, world, queue):
    version = world.version()
    message = world.ask(version, "Production")  # recorded, as if the process had died before the queue
    time.sleep(0.5)
    assert api.get(f"/models/transitions/{message['transition_id']}")["status"] == "queued"
    sent = LostMessages(ResendSettings(resend_seconds=0), world.transitions, queue).look()
    assert f"{message['transition_id']}#1" in sent
    assert ended(api, message["transition_id"])["status"] == "succeeded"
    # It stays open until it is in the model's history and announced.
    eventually(lambda: not world.transitions.still_open(world.model))
    assert LostMessages(ResendSettings(resend_seconds=0), world.transitions, queue).look() == []


@pytest.mark.slow
def test_an_alias_moved_in_mlflow_is_found_and_mended_by_the_deployed_reconcile(api, world, aws_client):
    first, second = world.version(), world.version()
    promoted = api.post(
        "/models/transition?wait=20", {"model_name": world.model, "version": first, "stage": "Production"}
    )
    assert ended(api, promoted["transition_id"])["status"] == "succeeded"
    world.tracking.set_alias(world.model, "production", second)
    reconcile(aws_client)
    eventually(lambda: len(world.history()) == 2 and world.agrees(), 60)
    entry = api.get(f"/models/{world.model}/history")["transitions"][0]
    assert (entry["version"], entry["status"], entry["kind"]) == (second, "succeeded", "mend")
    assert (entry["actor"], entry["replaced_version"]) == ("reconcile", first)

    world.tracking.set_tag(world.model, first, "stage", "Production")
    reconcile(aws_client)
    eventually(world.agrees, 60)
    assert len(world.history()) == 2


def test_a_model_deleted_in_mlflow_is_served_no_more_and_keeps_its_history(api, world, aws_client):
    version = world.version()
    promoted = api.post(
        "/models/transition?wait=20", {"model_name": world.model, "version": version, "stage": "Production"}
    )
    assert ended(api, promoted["transition_id"])["status"] == "succeeded"
    row = {"inputs": [0.0] * 4, "model_name": world.model}
    assert api.send("POST", "/predict", row).status == 200
    world.tracking._call("DELETE", "registered-models/delete", body={"name": world.model})

    assert world.model in reconcile(aws_client)["DeletedModels"]
    eventually(lambda: api.send("POST", "/predict", row).status == 409, 60)
    assert api.send("GET", f"/models/{world.model}").status == 404
    history = api.get(f"/models/{world.model}/history")
    assert history["registered"] is False
    assert [entry["version"] for entry in history["transitions"]] == [version, version]
    assert history["transitions"][0]["reason"] == (
        f"version {version}, which had the alias production, was deleted in MLflow"
    )
    assert world.model in reconcile(aws_client)["DeletedModels"], "its file is still there"


@pytest.mark.slow
def test_what_a_former_gate_admitted_serves_on_and_is_reported_until_another_version_replaces_it(
    api, world, aws_client
):
    """A regressor in Production, with the manifest that the version before wrote for it."""
    first, second = world.version(), world.version()
    for version in (first, second):
        moved = api.post(
            "/models/transition?wait=20", {"model_name": world.model, "version": version, "stage": "Production"}
        )
        assert ended(api, moved["transition_id"])["status"] == "succeeded"
    regressor = onnx_models.column(onnx_models.node("Identity", "z", "p")).SerializeToString()
    sha256 = hashlib.sha256(regressor).hexdigest()
    before = replace(
        world.manifest(),
        sha256=sha256,
        key=model_key(world.model, sha256),
        size=len(regressor),
        input=ModelInput("x", onnx_models.FEATURES),
        output=ModelOutput("p", 1),
        labels=(0,),
        self_test=None,
        reference=None,
    )
    document = json.loads(before.to_json())
    del document["gate_revision"], document["refusal"]
    world.s3.put_object(Bucket=world.bucket, Key=before.key, Body=regressor)
    key = manifest_key(world.model, "Production")
    world.s3.put_object(Bucket=world.bucket, Key=key, Body=json.dumps(document).encode())
    history = api.get(f"/models/{world.model}/history")
    reconcile(aws_client)
    eventually(lambda: api.get(f"/models/{world.model}")["production_refusal"] is not None, 60)
    detail = api.get(f"/models/{world.model}")
    assert detail["production_version"] == second
    assert detail["production_refusal"].startswith("it answers with 1 number per row")
    assert api.get(f"/models/{world.model}/history") == history
    assert world.manifest() == replace(
        before,
        gate_revision=GATE_REVISION,
        refusal=detail["production_refusal"],
        written_at=world.manifest().written_at,
    )
    answer = api.post("/predict", {"inputs": [0.5] * onnx_models.FEATURES, "model_name": world.model})
    assert answer["model_version"] == second

    moved = api.post(f"/models/{world.model}/rollback?wait=20", {})
    assert (ended(api, moved["transition_id"])["status"], moved["version"]) == ("succeeded", first)
    detail = api.get(f"/models/{world.model}")
    assert (detail["production_version"], detail["production_refusal"]) == (first, None)


def reconcile(aws_client: Any) -> dict[str, Any]:
    """A round of the deployed function."""
    client = aws_client("lambda")
    pages = client.get_paginator("list_functions").paginate()
    names = [each["FunctionName"] for page in pages for each in page["Functions"]]
    (name,) = [name for name in names if "ReconcileFunction" in name]
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    done: dict[str, Any] = payload
    return done


@pytest.mark.slow
def test_a_rollback_is_one_request_and_can_be_taken_back(api, world):
    first, second = world.version(), world.version()
    none = api.send("POST", f"/models/{world.model}/rollback", {})
    assert (none.status, none.json["code"]) == (409, "conflict")
    for version in (first, second):
        api.post("/models/transition?wait=20", {"model_name": world.model, "version": version, "stage": "Production"})
    moved = api.post(f"/models/{world.model}/rollback?wait=20", {"reason": "worse on Mondays"})
    assert (moved["status"], moved["version"], moved["reason"]) == ("succeeded", first, "worse on Mondays")
    assert moved["sha256"] == world.manifest().sha256
    again = api.send("POST", f"/models/{world.model}/rollback", {})
    assert (again.status, again.json["code"]) == (409, "conflict"), "the version that was rolled back from is not next"
    taken_back = {"model_name": world.model, "version": second, "stage": "Production", "reason": "it was the data"}
    moved = api.post("/models/transition?wait=20", taken_back)
    assert (moved["status"], moved["version"]) == ("succeeded", second)
    world.tracking._call("DELETE", "model-versions/delete", body={"name": world.model, "version": str(first)})
    gone = api.send("POST", f"/models/{world.model}/rollback", {})
    assert gone.status == 409


def test_what_cannot_be_is_said_at_once(api, world):
    version = world.version()
    request = {"model_name": world.model, "version": version, "stage": "Archived"}
    assert api.post("/models/transition?wait=20", request)["status"] == "succeeded"
    refused = api.send("POST", "/models/transition", request)
    assert (refused.status, refused.json["code"]) == (409, "transition_not_allowed")
    assert refused.json["allowed"] == ["Production", "Staging"]
    assert api.send("POST", "/models/transition", {**request, "version": 99}).status == 404
    assert api.send("POST", "/models/transition", {**request, "model_name": "no-such-model"}).status == 404
    assert api.send("POST", "/models/transition", {**request, "stage": "Training"}).status == 422
    forced = api.send("POST", "/models/transition", {**request, "stage": "Staging", "force": True})
    assert (forced.status, forced.json["errors"][0]["field"]) == (422, "reason")
    assert api.send("GET", "/models/transitions/tr_no_such").status == 404
    key = {"Idempotency-Key": f"once {world.model}"}
    again = [api.post("/models/transition", {**request, "stage": "Staging"}, key) for _ in range(2)]
    assert again[0]["transition_id"] == again[1]["transition_id"]


NOTEBOOK = """
import sys, mlflow, numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from tests.support.serving import served
import onnx

name = sys.argv[1]
mlflow.set_experiment(f"notebook of {name}")
model = onnx.load_from_string(served(features=4, image=None, classes=3, self_test=False).onnx)
inputs, outputs = (Schema([TensorSpec(np.dtype("float32"), (-1, width))]) for width in (4, 3))
signature = ModelSignature(inputs, outputs)
with mlflow.start_run(run_name="by hand") as run:
    mlflow.log_params({"alpha": 0.5})
    mlflow.log_metric("accuracy", 0.7)
    logged = mlflow.onnx.log_model(model, name="model", signature=signature, save_as_external_data=False)
mlflow.register_model(logged.model_uri, name)
print(run.info.run_id)
"""


@pytest.mark.slow
def test_a_run_logged_by_plain_mlflow_is_listed_registered_and_promoted(api, stack):
    name = "from-a-notebook"
    environment = {
        **stack.env,
        "PATH": "/usr/bin:/bin",
        "HOME": str(stack.settings.home),
        "PYTHONPATH": f"{ROOT}:{ROOT}/layers/core/python",
    }
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, name], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    run_id = done.stdout.split()[-1]
    listed = api.get(f"/experiments/notebook%20of%20{name}")
    assert [(run["run_id"], run["metrics"], run["params"]) for run in listed["runs"]] == [
        (run_id, {"accuracy": 0.7}, {"alpha": "0.5"})
    ]
    detail = api.get(f"/experiments/{listed['experiment_id']}/runs/{run_id}")
    assert "model/model.onnx" in {artifact["path"] for artifact in detail["artifacts"]}
    (version,) = api.get(f"/models/{name}")["versions"]
    assert (version["version"], version["stage"], version["run_id"]) == (1, "Registered", run_id)
    moved = api.post("/models/transition?wait=20", {"model_name": name, "version": 1, "stage": "Production"})
    assert ended(api, moved["transition_id"])["status"] == "succeeded"
    answer = api.post("/predict", {"inputs": [0.1, 0.2, 0.3, 0.4], "model_name": name})
    assert (answer["model_version"], len(answer["probabilities"])) == (1, 3)


@pytest.mark.slow
def test_an_outage_of_mlflow_and_postgres_longer_than_three_tries_loses_nothing_and_keeps_the_order(
    api, aws_client, outputs, world, queue, stack
):
    versions = [world.version() for _ in range(3)]
    sqs, dead = aws_client("sqs"), outputs["PromotionDeadLettersUrl"]
    platform = Stack(stack.settings, say=lambda text: None)

    def dead_letters() -> list[str]:
        """The transitions of this model whose message has had its three tries."""
        bodies = [json.loads(message["Body"]) for message in received(sqs, dead) if world.model in message["Body"]]
        return [body["transition_id"] for body in bodies]

    try:
        assert platform._tracking().stop()
        assert platform._database.stop()
        requests = []
        for version in versions:
            request = Transition(new_transition_id(), world.model, version, Stage.PRODUCTION, "tester", force=True)
            requests.append(request)
            request_transition(world.transitions, queue, request)
            time.sleep(0.01)
        for path in ("/models", "/experiments", f"/models/{world.model}"):
            answer = api.send("GET", path)
            assert (answer.status, answer.json["code"]) == (503, "dependency_unavailable")
            assert int(answer.headers["retry-after"]) > 0
        asked = {"model_name": world.model, "version": versions[0], "stage": "Production"}
        assert api.send("POST", "/models/transition", asked).status == 503
        # The first has had its three tries, and the second comes up while the first is still open.
        eventually(lambda: dead_letters() == [requests[0].transition_id], 60)
    finally:
        platform._database.start()
        ready = platform._tracking(outputs["ArtifactBucketName"]).launch()
        assert ready is not None
        ready()
    assert api.get(f"/models/transitions/{requests[0].transition_id}")["status"] == "queued"
    LostMessages(ResendSettings(resend_seconds=0), world.transitions, queue).look()
    outcomes = [ended(api, request.transition_id) for request in requests]
    assert [outcome["status"] for outcome in outcomes] == ["succeeded"] * 3
    times = [outcome["completed_at"] for outcome in outcomes]
    assert times == sorted(times)
    assert [outcome["replaced_version"] for outcome in outcomes] == [None, *versions[:2]]
    assert world.history() == [(version, "Production", "succeeded") for version in versions]
    eventually(world.agrees, 60)
    assert world.tracking.model(world.model).aliases == {"production": versions[-1]}
