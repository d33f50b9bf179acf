"""Rollouts beside everything else that moves versions, truly at once, over the whole local stack."""

import contextlib
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3

from infra.local.api import Answer, Api, ApiError
from mlops.aws.rollout_files import RolloutFiles
from mlops.domain.transition import new_transition_id
from tests.integration.registry_world import World, make_world
from tests.support.keys import make_key, revoke_key
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow
_numbers = itertools.count(1)
OPEN = ("starting", "running", "paused", "promoting", "baking", "returning")
STEPS = [{"weight": 100, "minutes": 1000}]


@pytest.fixture
def world(stack: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """A new model."""
    return make_world(stack, monkeypatch, f"at-once-{next(_numbers)}")


def move(api: Api, world: World, version: int, stage: str) -> dict[str, Any]:
    body = {"model_name": world.model, "version": version, "stage": stage}
    moved: dict[str, Any] = api.post("/models/transition?wait=20", body)
    return moved


def send(api: Api, path: str, body: Any) -> Answer:
    """Send a request until it is answered; its key makes it count once."""
    key = {"Idempotency-Key": new_transition_id()}
    while True:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            answer = api.send("POST", path, body, key)
            under_way = answer.status == 409 and "has not ended yet" in answer.json["detail"]
            if answer.status not in (503, 504) and not under_way:
                return answer
        time.sleep(1)


def test_of_rollouts_asked_at_once_one_begins(api: Api, world: World) -> None:
    for version, stage in ((world.version(), "Production"), (world.version(), "Staging")):
        assert move(api, world, version, stage)["status"] == "succeeded"
    route, plan = f"/models/{world.model}/rollouts", {"version": 2, "steps": STEPS, "shadow_minutes": 0}
    at_once = threading.Barrier(8)

    def ask(_: int) -> Answer:
        at_once.wait()
        return send(api, route, plan)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert Counter(answer.status for answer in answers) == {202: 1, 409: 7}
    (begun,) = [answer.json for answer in answers if answer.status == 202]
    (listed,) = api.get(route)["rollouts"]
    assert (listed["rollout_id"], listed["status"]) == (begun["rollout_id"], "running")
    stored = RolloutFiles(world.bucket).read(world.model)
    assert stored is not None
    assert stored.live is not None
    assert stored.live.id == begun["rollout_id"]
    refusals = {answer.json["detail"] for answer in answers if answer.status == 409}
    remedy = "abort it, or wait for its end"
    assert {(begun["rollout_id"] in detail, remedy in detail) for detail in refusals} == {(True, True)}, refusals
    api.post(f"{route}/{begun['rollout_id']}/abort", {})


def test_a_version_that_was_deleted_during_its_rollout_does_not_get_to_production(
    api: Api, world: World, minute: Callable[[], None], invoke: Callable[[str, bytes], Any]
) -> None:
    for version, stage in ((world.version(), "Production"), (world.version(), "Staging")):
        assert move(api, world, version, stage)["status"] == "succeeded"
    route = f"/models/{world.model}/rollouts"
    rollout = api.post(route, {"version": 2, "steps": STEPS, "shadow_minutes": 0})["rollout_id"]
    world.tracking._call("DELETE", "model-versions/delete", body={"name": world.model, "version": "2"})
    minute()
    assert api.get(f"{route}/{rollout}")["status"] == "running", "what it serves is a file of the platform's own"
    api.post(f"{route}/{rollout}/complete", {})

    def ended() -> Any:
        minute()
        now = api.get(f"{route}/{rollout}")
        return now if now["status"] not in OPEN else None

    failed = eventually(ended, 90, 1)
    assert failed["status"] == "failed", failed
    assert "version" in failed["note"]
    assert api.get(f"/models/{world.model}")["production_version"] == 1
    assert RolloutFiles(world.bucket).read(world.model) is None
    invoke("ReconcileFunction", b"{}")  # each five minutes; it takes the alias away, and with it the manifest
    eventually(lambda: api.get(f"/models/{world.model}")["staging_version"] is None, 60)

    def refused() -> bool:
        answer = api.send("POST", route, {"version": 2, "steps": STEPS})
        if answer.status == 202:  # promotion has not removed the manifest yet
            api.post(f"{route}/{answer.json['rollout_id']}/abort", {})
        return answer.status == 409 and "is not in Staging; move it there first" in answer.json["detail"]

    eventually(refused, 60, 1)


def test_who_lost_the_key_after_the_request_approves_nothing(api: Api, world: World, stack: Any) -> None:
    settings = {"expected_version": 0, "settings": {"approvals": {"Production": 1}}, "reason": "e2e"}
    assert api.send("PUT", f"/models/{world.model}/settings", settings).status == 200
    name = f"leaver-{world.model}"
    leaver = Api(stack.api_url, make_key(stack.env, name, "approve", owner="leaver"))
    other = Api(stack.api_url, make_key(stack.env, f"stayer-{world.model}", "approve", owner="stayer"))
    waiting = move(api, world, world.version(), "Production")
    assert waiting["status"] == "awaiting_approval"
    route = f"/models/transitions/{waiting['transition_id']}"
    assert leaver.get(route)["status"] == "awaiting_approval"
    revoke_key(stack.env, name)
    eventually(lambda: leaver.send("POST", f"{route}/approve", {}).status == 403, 5)
    assert api.get(route)["decisions"] == []
    assert api.get(route)["status"] == "awaiting_approval"
    assert other.post(f"{route}/approve?wait=20", {})["status"] == "succeeded"


def fetch(api: Api, path: str) -> Any:
    """GET until there is an answer: on a busy machine it may take longer than the client waits."""
    while True:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            answer = api.send("GET", path)
            if answer.status == 200:
                return answer.json
            assert answer.status in (503, 504), answer.data
        time.sleep(1)


class Poller(threading.Thread):
    """Counts, over and over, how many versions each place says are in Production; `minute` is asked between."""

    def __init__(self, world: World, api: Api, minute: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._world, self._api, self._minute, self._over = world, api, minute, threading.Event()
        self.looks, self.most = 0, Counter[str]()

    def run(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(ApiError, Exception):  # on a busy machine a look may take too long
                versions = self._api.get(f"/models/{self._world.model}")["versions"]
                tags = [version.tags.get("stage") for version in self._world.tracking.versions(self._world.model)]
                self.most |= Counter(
                    API=sum(version["stage"] == "Production" for version in versions), tag=tags.count("Production")
                )
                self.looks += 1
                self._minute()
            time.sleep(0.5)

    def stop(self) -> None:
        self._over.set()
        self.join()


class Crowd:
    """People who move versions of one model in every way there is. What is accepted is noted."""

    def __init__(self, api: Api, approver: Api, model: str, versions: list[int]) -> None:
        self._api, self._approver, self._model, self._versions = api, approver, model, versions
        self.transitions: list[str] = []
        self.rollouts: list[str] = []
        self.decided: list[str] = []
        self.answers: Counter[tuple[str, int]] = Counter()

    def act(self, kind: str, number: int) -> None:
        answer = getattr(self, f"_{kind}")(random.Random(number))
        if answer is None:  # there was nothing to act on
            self.answers[kind, 0] += 1
            return
        self.answers[kind, answer.status] += 1
        assert answer.status in (200, 202, 409), (kind, answer.data)
        if answer.status == 409:
            return
        if kind in ("production", "staging", "rollback"):
            self.transitions.append(answer.json["transition_id"])
        elif kind == "rollout":
            self.rollouts.append(answer.json["rollout_id"])
        elif kind == "approve":
            self.decided.append(answer.json["transition_id"])

    def waiting(self) -> list[str]:
        history = fetch(self._api, f"/models/{self._model}/history?limit=100")["transitions"]
        return [each["transition_id"] for each in history if each["status"] == "awaiting_approval"]

    def open(self) -> list[dict[str, Any]]:
        listed = fetch(self._api, f"/models/{self._model}/rollouts?limit=100")["rollouts"]
        return [each for each in listed if each["status"] in OPEN]

    def _transition(self, choose: random.Random, stage: str) -> Answer:
        body = {"model_name": self._model, "version": choose.choice(self._versions), "stage": stage}
        return send(self._api, "/models/transition", body)

    def _production(self, choose: random.Random) -> Answer:
        return self._transition(choose, "Production")

    def _staging(self, choose: random.Random) -> Answer:
        return self._transition(choose, "Staging")

    def _rollback(self, choose: random.Random) -> Answer:
        return send(self._api, f"/models/{self._model}/rollback", {"reason": "e2e"})

    def _rollout(self, choose: random.Random) -> Answer:
        versions = fetch(self._api, f"/models/{self._model}")["versions"]
        staged = [each["version"] for each in versions if each["stage"] == "Staging"] or self._versions
        plan = {"version": choose.choice(staged), "steps": STEPS, "shadow_minutes": 0}
        return send(self._api, f"/models/{self._model}/rollouts", plan)

    def _approve(self, choose: random.Random) -> Answer | None:
        waiting = self.waiting()
        if not waiting:
            return None
        return send(self._approver, f"/models/transitions/{choose.choice(waiting)}/approve", {})

    def _end(self, choose: random.Random) -> Answer | None:
        rollouts = self.open()
        if not rollouts:
            return None
        action = choose.choice(["abort", "complete", "complete", "pause"])
        return send(self._api, f"/models/{self._model}/rollouts/{rollouts[0]['rollout_id']}/{action}", {})


def test_a_hundred_transitions_rollouts_approvals_and_rollbacks_at_once_leave_one_production(
    api: Api, world: World, stack: Any, minute: Callable[[], None]
) -> None:
    versions = [world.version() for _ in range(6)]
    assert move(api, world, versions[0], "Production")["status"] == "succeeded"
    assert move(api, world, versions[1], "Staging")["status"] == "succeeded"
    settings = {"expected_version": 0, "settings": {"approvals": {"Staging": 1}}, "reason": "e2e"}
    assert api.send("PUT", f"/models/{world.model}/settings", settings).status == 200
    before = {each["transition_id"] for each in api.get(f"/models/{world.model}/history")["transitions"]}
    approver = Api(stack.api_url, make_key(stack.env, f"crowd-{world.model}", "approve", owner="crowd"))
    crowd = Crowd(api, approver, world.model, versions)
    kinds = ["production"] * 20 + ["staging"] * 20 + ["rollback"] * 10 + ["rollout"] * 20 + ["approve"] * 15
    kinds += ["end"] * 15
    random.Random(11).shuffle(kinds)
    at_once = threading.Barrier(len(kinds))

    def act(numbered: tuple[int, str]) -> None:
        at_once.wait()
        time.sleep(numbered[0] * 0.15)  # so that some find something to approve or to end
        crowd.act(numbered[1], numbered[0])

    poller = Poller(world, api, minute)
    poller.start()
    with ThreadPoolExecutor(len(kinds)) as pool:
        list(pool.map(act, enumerate(kinds)))

    def settled() -> bool:
        for identifier in crowd.waiting():
            send(approver, f"/models/transitions/{identifier}/approve", {})
        for rollout in crowd.open():
            send(api, f"/models/{world.model}/rollouts/{rollout['rollout_id']}/abort", {})
        minute()
        return not (crowd.open() or world.transitions.still_open(world.model))

    eventually(settled, 240, 1)
    poller.stop()
    assert poller.looks > 5
    assert max(poller.most.values()) == 1, poller.most
    assert sum(crowd.answers.values()) == 100
    assert len(set(crowd.transitions)) == len(crowd.transitions) > 10, crowd.answers
    assert len(set(crowd.rollouts)) == len(crowd.rollouts) >= 1, crowd.answers

    # Everything that can say it names the same one version.
    holder = world.tracking.model(world.model).aliases["production"]
    state = world.state()
    assert state["manifests"]["Production"] == holder
    for mirror in ("tags", "mlflow"):
        assert [version for version, stage in state[mirror].items() if stage == "Production"] == [holder]
    assert api.get(f"/models/{world.model}")["production_version"] == holder
    eventually(world.agrees, 60)
    assert RolloutFiles(world.bucket).read(world.model) is None

    # Nothing is lost: each accepted request has one outcome, and the chain has each once.
    history = api.get(f"/models/{world.model}/history?limit=100&verify=true")
    assert history["verification"]["valid"], history["verification"]
    listed = api.get(f"/models/{world.model}/rollouts?limit=100")["rollouts"]
    assert {each["rollout_id"] for each in listed} == set(crowd.rollouts)
    by_rollouts = {each["transition_id"] for each in listed if each["transition_id"]}
    found = {each["transition_id"]: each for each in history["transitions"]}
    assert found.keys() - before - by_rollouts == set(crowd.transitions)
    assert {each["status"] for each in found.values()} <= {"succeeded", "rejected"}
    documents = [json.loads(entry.text) for entry in world.governance.entries(world.model)]
    told = Counter(each["detail"]["transition_id"] for each in documents if each["kind"] == "transition")
    assert set(told.values()) == {1}
    assert set(told) == set(found)
    ends = Counter(
        each["detail"]["rollout_id"]
        for each in documents
        if each["kind"] == "rollout" and each["detail"]["status"] not in OPEN
    )
    assert ends == Counter(crowd.rollouts)
    decided = Counter(each["detail"]["transition_id"] for each in documents if each["kind"] == "approval")
    assert set(crowd.decided) <= set(decided)

    # Each took over from the one before, so there never were two.
    reigns = [each for each in found.values() if (each["stage"], each["status"]) == ("Production", "succeeded")]
    reigns.sort(key=lambda each: each["completed_at"])
    assert [each["replaced_version"] for each in reigns] == [None, *(each["version"] for each in reigns[:-1])]
    assert reigns[-1]["version"] == holder
