"""Rollouts through the whole stack: a bad challenger goes back by itself, and a good one goes to Production."""

import random
import time
from collections import Counter
from typing import Any

import pytest

from tests.support.steps import promote, train

pytestmark = pytest.mark.slow
MODEL = "rolled-out"
ENDED = ("succeeded", "rolled_back", "aborted", "failed")
LENIENT = {"max_latency_ratio": None, "max_disagreement": 0.3}  # other tests take the machine's time


@pytest.fixture(scope="module")
def versions(api: Any) -> tuple[int, int]:
    """A version in Production, another that is as good, and one that has learnt nothing."""
    first = train(api, epochs=4, learning_rate=0.005, model_name=MODEL)
    assert promote(api, first["model_version"], model=MODEL)["status"] == "succeeded"
    good = train(api, epochs=4, learning_rate=0.005, seed=7, model_name=MODEL)
    bad = train(api, epochs=1, learning_rate=0.00001, seed=8, model_name=MODEL)
    return good["model_version"], bad["model_version"]


def ask_until(api: Any, rollout: dict[str, Any], images: Any, ended: Any, seconds: float) -> tuple[Any, Counter[Any]]:
    """Send requests of many customers until the rollout is as `ended` says; it, and how many each version answered."""
    answered: Counter[Any] = Counter()
    choose = random.Random(5)
    deadline, looked = time.monotonic() + seconds, 0.0
    route = f"/models/{MODEL}/rollouts/{rollout['rollout_id']}"
    while True:
        image = [min(1.0, max(0.0, pixel + choose.uniform(0, 0.001))) for pixel in choose.choice(images)]
        customer = {"x-routing-key": f"customer {choose.randrange(50)}"}
        answer = api.post("/predict", {"image": image, "model_name": MODEL}, customer)
        answered[answer["model_version"], answer.get("variant")] += 1
        if time.monotonic() - looked > 1:
            looked, now = time.monotonic(), api.get(route)
            if ended(now):
                return now, answered
        assert time.monotonic() < deadline, (now, answered)
        time.sleep(0.05)


def test_a_bad_challenger_is_rolled_back_in_the_shadow_and_answers_nobody(
    api: Any, held_out: Any, versions: tuple[int, int]
) -> None:
    _, bad = versions
    assert promote(api, bad, "Staging", MODEL)["status"] == "succeeded"
    plan = {"version": bad, "steps": [{"weight": 50, "minutes": 1}], "shadow_minutes": 1, "guardrails": LENIENT}
    rollout = api.post(f"/models/{MODEL}/rollouts", {**plan, "shadow_share": 1.0, "reason": "e2e"})
    assert (rollout["status"], rollout["weight"]) == ("running", 0)
    refused = api.send("POST", f"/models/{MODEL}/rollouts", plan)
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    ended, answered = ask_until(api, rollout, held_out[0], lambda now: now["status"] in ENDED, 240)
    assert (ended["status"], ended["broken"], ended["weight"]) == ("rolled_back", "max_disagreement", 0)
    assert set(answered) == {(1, None)}
    figure = next(figure for figure in ended["figures"] if figure["guardrail"] == "max_disagreement")
    assert figure["observed"] > 0.5
    assert 10 < figure["observations"] <= ended["phases"][0]["pairs"]  # lines go on arriving
    assert api.get(f"/models/{MODEL}")["production_version"] == 1


def test_a_good_challenger_answers_its_customers_and_goes_to_production(
    api: Any, held_out: Any, versions: tuple[int, int]
) -> None:
    good, _ = versions
    assert promote(api, good, "Staging", MODEL)["status"] == "succeeded"
    step = {"weight": 50, "minutes": 1, "min_requests": 20}
    plan = {"version": good, "steps": [step], "shadow_minutes": 0, "shadow_share": 0.5, "guardrails": LENIENT}
    rollout = api.post(f"/models/{MODEL}/rollouts", plan)
    ended, answered = ask_until(api, rollout, held_out[0], lambda now: now["status"] in ENDED, 300)
    assert ended["status"] == "succeeded", ended
    assert answered[1, None] > 0
    assert answered[good, "canary"] > 0
    counts = ended["phases"][0]
    assert counts["canary"] >= 20
    assert counts["failed"] == 0
    transition = api.get(f"/models/transitions/{ended['transition_id']}")
    assert (transition["status"], transition["version"]) == ("succeeded", good)
    assert transition["reason"] == f"the last step of the rollout {ended['rollout_id']}"
    assert api.get(f"/models/{MODEL}")["production_version"] == good
    listed = api.get(f"/models/{MODEL}/rollouts")["rollouts"]
    assert [entry["status"] for entry in listed][:2] == ["succeeded", "rolled_back"]


def test_a_rollback_ends_a_rollout_first(api: Any, held_out: Any, versions: tuple[int, int]) -> None:
    _, bad = versions
    assert promote(api, bad, "Staging", MODEL)["status"] == "succeeded"
    plan = {"version": bad, "steps": [{"weight": 100, "minutes": 60}], "shadow_minutes": 0, "guardrails": LENIENT}
    rollout = api.post(f"/models/{MODEL}/rollouts", plan)
    back = api.post(f"/models/{MODEL}/rollback?wait=20", {"reason": "e2e"})
    assert back["status"] == "succeeded", back
    ended = api.get(f"/models/{MODEL}/rollouts/{rollout['rollout_id']}")
    assert ended["status"] == "aborted"
    assert back["transition_id"] in ended["note"]
    assert api.get(f"/models/{MODEL}")["production_version"] == back["version"] == 1


def differing(api: Any, images: Any, versions: tuple[int, int], count: int) -> list[list[float]]:
    """Blends of two digits each, which the two versions take for different ones."""
    choose, found = random.Random(3), []
    for _ in range(4_000):
        one, two, share = choose.choice(images), choose.choice(images), choose.uniform(0.4, 0.6)
        blend = [round(share * a + (1 - share) * b, 4) for a, b in zip(one, two, strict=True)]
        asked = {"image": blend, "model_name": MODEL}
        answers = [api.post("/predict", {**asked, "version": version})["prediction"] for version in versions]
        if answers[0] != answers[1]:
            found.append(blend)
        if len(found) == count:
            return found
    raise AssertionError(f"only {len(found)} of 4,000 blends are answered differently")


def test_labels_after_the_last_step_bring_the_version_before_back(
    api: Any, held_out: Any, versions: tuple[int, int]
) -> None:
    """The good version is in Production when it turns out that the one before knew better, row by row."""
    good, _ = versions
    assert api.get(f"/models/{MODEL}")["production_version"] == 1
    assert promote(api, good, "Staging", MODEL)["status"] == "succeeded"
    guardrails = {"max_latency_ratio": None, "max_disagreement": None, "min_accuracy_delta": -0.01}
    plan = {"version": good, "steps": [{"weight": 50, "minutes": 60}], "shadow_share": 1.0, "guardrails": guardrails}
    rollout = api.post(f"/models/{MODEL}/rollouts", {**plan, "bake_days": 7})
    route = f"/models/{MODEL}/rollouts/{rollout['rollout_id']}"
    labels = []
    for image in differing(api, held_out[0], (1, good), 60):
        answer = api.post("/predict", {"image": image, "model_name": MODEL})
        assert answer["model_version"] == 1
        labels.append({"prediction_id": answer["prediction_id"], "label": answer["prediction"]})
    api.wait(route, until=lambda now: now["phases"][0]["pairs"] >= 55, seconds=60)
    api.post(f"{route}/complete", {})
    baking = api.wait(route, until=lambda now: now["status"] != "promoting", seconds=180)
    assert (baking["status"], baking["weight"]) == ("baking", 100), baking
    assert api.get(f"/models/{MODEL}")["production_version"] == good
    taken = api.post("/feedback/batch", {"model_name": MODEL, "labels": labels})
    assert taken["counts"] == {"counted": 60}
    ended = api.wait(route, until=lambda now: now["status"] in ENDED, seconds=240)
    assert (ended["status"], ended["broken"]) == ("rolled_back", "min_accuracy_delta"), ended
    counts = ended["phases"][0]
    assert counts["won"] == 0
    assert 55 <= counts["lost"] == counts["labelled"] <= 60
    back = api.get(f"/models/transitions/{ended['rollback_id']}")
    assert (back["status"], back["version"]) == ("succeeded", 1)
    assert api.get(f"/models/{MODEL}")["production_version"] == 1
    verified = api.get(f"/models/{MODEL}/history?verify=true")["verification"]
    assert verified["valid"], verified
