"""Two people and a promotion that waits, over the whole local stack: keys, roles, approval, history and settings."""

import json
from typing import Any

import pytest

from infra.local.api import Api
from tests.support.keys import make_key
from tests.support.steps import promote, train

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


def status(api: Api, method: str, path: str, body: Any = None) -> int:
    return api.send(method, path, body).status


def test_a_promotion_waits_is_approved_and_its_history_verifies(people: dict[str, Api], version: int) -> None:
    ann, bob, eve, pat = (people[name] for name in ("ann", "bob", "eve", "pat"))
    assert (
        status(ann, "POST", "/models/transition", {"model_name": MODEL, "version": version, "stage": "Staging"}) == 403
    )
    waiting = promote(ann, version, model=MODEL, reason="better")
    assert (waiting["status"], waiting["actor_owner"], waiting["approvals_needed"]) == ("awaiting_approval", "ann", 1)
    assert {gate["check"] for gate in waiting["gates"]} >= {"proof", "serves", "metric"}
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


def test_lists_have_what_a_key_is_for(people: dict[str, Api], version: int, production_model: Any) -> None:
    assert {model["name"] for model in people["ann"].get("/models")["models"]} == {MODEL}
    assert people["ann"].get("/models")["total_count"] == 1
    assert {run["experiment_name"] for run in people["ann"].get("/train/jobs")["jobs"]} == {MODEL}
    assert {each["name"] for each in people["ann"].get("/experiments")["experiments"]} == {MODEL}
    assert people["eve"].get("/models") == {"models": [], "total_count": 0, "next_cursor": None}
    assert people["pat"].get("/me") == {"name": "pat", "owner": "pat", "role": "predict", "models": ["consent-*"]}
