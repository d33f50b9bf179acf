"""Two people and a promotion that waits, over the whole local stack: keys, roles, approval, history and settings."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.local.api import Api
from tests.support.keys import make_key, revoke_key
from tests.support.steps import promote, train
from tests.support.waiting import eventually

pytestmark = [pytest.mark.stack, pytest.mark.slow]
MODEL = "consent-churn"
IMAGE = {"image": [0.0] * 784}


@pytest.fixture(scope="module")
def people(stack: Any) -> dict[str, Api]:
    """ann trains, bob approves; both for this model only. The key of another model, and one that only predicts."""

    def person(name: str, role: str, *models: str) -> Api:
        return Api(stack.api_url, make_key(stack.env, name, role, owner=name, models=models))

    return {
        "ann": person("ann", "train", "consent-*"),
        "bob": person("bob", "approve", "consent-*"),
        "eve": person("eve", "admin", "other"),
        "pat": person("pat", "predict", "consent-*"),
    }


@pytest.fixture(scope="module")
def version(people: dict[str, Api], api: Api) -> int:
    """A version that ann has trained, of a model that has approvals."""
    job = train(people["ann"], epochs=1, dataset="digits", model_name=MODEL, experiment_name=MODEL)
    assert job["status"] == "completed", job["error"]
    body = {"expected_version": 0, "settings": {"approvals": {"Production": 1}, "owners": ["bob"]}, "reason": "audit"}
    assert api.send("PUT", f"/models/{MODEL}/settings", body).status == 200
    number: int = job["model_version"]
    return number


@pytest.fixture
def mail(aws_client: Any) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Takes what the topic of alerts has sent to an address, which here is a queue."""
    sqs, sns = aws_client("sqs"), aws_client("sns")
    url = sqs.create_queue(QueueName="test-approval-mail")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = next(each["TopicArn"] for each in sns.list_topics()["Topics"] if "Alerts" in each["TopicArn"])
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]

    def take() -> list[dict[str, Any]]:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        told = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        return [each for each in told if MODEL in each["Subject"]]

    yield take
    sns.unsubscribe(SubscriptionArn=subscription)
    sqs.delete_queue(QueueUrl=url)


def status(api: Api, method: str, path: str, body: Any = None) -> int:
    return api.send(method, path, body).status


def test_a_promotion_waits_is_approved_and_its_history_verifies(
    people: dict[str, Api], version: int, mail: Callable[[], list[dict[str, Any]]]
) -> None:
    ann, bob, eve, pat = (people[name] for name in ("ann", "bob", "eve", "pat"))
    assert (
        status(ann, "POST", "/models/transition", {"model_name": MODEL, "version": version, "stage": "Staging"}) == 403
    )
    waiting = promote(ann, version, model=MODEL, reason="better")
    assert (waiting["status"], waiting["actor_owner"], waiting["approvals_needed"]) == ("awaiting_approval", "ann", 1)
    assert {gate["check"] for gate in waiting["gates"]} >= {"proof", "serves", "metric"}
    (told,) = eventually(mail)
    assert told["Subject"] == f"Approval requested: {MODEL} version {version}"
    assert f"mlops approve {waiting['transition_id']}" in told["Message"]
    assert "Requested by ann: better" in told["Message"]
    route = f"/models/transitions/{waiting['transition_id']}"
    assert status(ann, "POST", f"{route}/approve", {}) == 403
    assert status(eve, "POST", f"{route}/approve", {}) == 403
    assert status(eve, "GET", route) == 403
    assert status(pat, "POST", "/predict", {**IMAGE, "model_name": MODEL}) == 409, "nothing serves yet"
    approved = bob.post(f"{route}/approve?wait=20", {"comment": "the figures are fine"})
    assert approved["status"] == "succeeded", approved
    assert [(each["owner"], each["comment"]) for each in approved["decisions"]] == [("bob", "the figures are fine")]
    assert pat.post("/predict", {**IMAGE, "model_name": MODEL})["model_version"] == version
    assert status(eve, "POST", "/predict", {**IMAGE, "model_name": MODEL}) == 403

    history = bob.get(f"/models/{MODEL}/history?verify=true")
    assert history["verification"]["valid"], history["verification"]
    exported = bob.get(f"{route}/export")
    kinds = [json.loads(entry["text"])["kind"] for entry in exported["entries"]]
    assert kinds == ["approval", "transition"]
    assert exported["run"]["dataset_digest"]
    assert exported["head"]["sha256"] == history["verification"]["sha256"]


def test_a_rollout_waits_is_approved_once_and_goes_to_production(
    people: dict[str, Api], version: int, api: Api, stack: Any, mail: Callable[[], list[dict[str, Any]]]
) -> None:
    ann, bob, pat = (people[name] for name in ("ann", "bob", "pat"))
    cal, leaver = (
        Api(stack.api_url, make_key(stack.env, name, "approve", owner=name, models=["consent-*"]))
        for name in ("cal", "consent-leaver")
    )
    job = train(ann, epochs=2, dataset="digits", model_name=MODEL, experiment_name=MODEL)
    challenger = job["model_version"]
    assert promote(bob, challenger, "Staging", model=MODEL)["status"] == "succeeded"
    plan = {"version": challenger, "steps": [{"weight": 100, "minutes": 60}], "shadow_minutes": 0, "reason": "newer"}
    asked = bob.post(f"/models/{MODEL}/rollouts", plan)
    assert (asked["status"], asked["weight"]) == ("awaiting_approval", 0)
    assert status(cal, "POST", f"/models/{MODEL}/rollouts", plan) == 409, "the model has one rollout"
    route = f"/models/{MODEL}/rollouts/{asked['rollout_id']}"
    waiting = bob.wait(route, until=lambda each: each["approval"] is not None, seconds=60)
    assert {gate["check"] for gate in waiting["approval"]["gates"]} >= {"proof", "serves", "metric"}
    assert waiting["approval"]["comparison"]["replaced_version"] == version
    (told,) = eventually(mail)
    assert f"{MODEL} version {challenger} waits for approval to be rolled out to Production." in told["Message"]
    assert [model["awaiting_approval"] for model in bob.get("/models")["models"] if model["name"] == MODEL] == [1]
    assert pat.post("/predict", {**IMAGE, "model_name": MODEL})["model_version"] == version
    assert status(bob, "POST", f"{route}/approve", {}) == 403, "who has asked"
    assert status(ann, "POST", f"{route}/approve", {}) == 403, "the role train"
    assert leaver.get(route)["status"] == "awaiting_approval"
    revoke_key(stack.env, "consent-leaver")
    eventually(lambda: status(leaver, "POST", f"{route}/approve", {}) == 403, 5)
    assert bob.get(route)["approval"]["decisions"] == []

    cal.post(f"{route}/approve", {"comment": "the figures are fine"})
    assert status(cal, "POST", f"{route}/approve", {}) == 409, "it is approved once"
    bob.wait(route, until=lambda each: each["status"] == "running", seconds=150)
    eventually(lambda: pat.post("/predict", {**IMAGE, "model_name": MODEL}).get("variant") == "canary", 60)
    assert bob.post(f"{route}/complete")["status"] == "promoting"
    ended = bob.wait(route, until=lambda each: each["status"] not in ("running", "promoting"), seconds=150)
    assert (ended["status"], ended["transition_id"]) == ("succeeded", asked["transition_id"])
    assert [each["owner"] for each in ended["approval"]["decisions"]] == ["cal"]
    assert api.get(f"/models/{MODEL}")["production_version"] == challenger
    assert bob.get(f"/models/{MODEL}/history?verify=true")["verification"]["valid"]
    exported = bob.get(f"/models/transitions/{asked['transition_id']}/export")
    kinds = [json.loads(entry["text"])["kind"] for entry in exported["entries"]]
    assert kinds == ["rollout", "approval", "rollout", "transition", "rollout"]


def test_lists_have_what_a_key_is_for(people: dict[str, Api], version: int, production_model: Any) -> None:
    assert {model["name"] for model in people["ann"].get("/models")["models"]} == {MODEL}
    assert people["ann"].get("/models")["total_count"] == 1
    assert {run["experiment_name"] for run in people["ann"].get("/train/jobs")["jobs"]} == {MODEL}
    assert {each["name"] for each in people["ann"].get("/experiments")["experiments"]} == {MODEL}
    assert people["eve"].get("/models") == {"models": [], "total_count": 0, "next_cursor": None}
    me = people["pat"].get("/me")
    assert me.pop("mlflow_url").startswith("http://127.0.0.1:")
    assert me == {
        "name": "pat",
        "owner": "pat",
        "role": "predict",
        "models": ["consent-*"],
        "until": None,
    }
