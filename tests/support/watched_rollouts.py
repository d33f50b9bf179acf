"""Rollouts of bad challengers over a running stack, and who answered which request meanwhile."""

import itertools
import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from infra.local.api import Api
from mlops.domain.rollout.routing import in_canary
from tests.integration.registry_world import World
from tests.support.bad_challengers import BEYOND, Kind, champion, kinds
from tests.support.onnx_models import CLASSES
from tests.support.steps import promote

CHAMPION, CHALLENGER = 1, 2
WEIGHT = 20
PLAN: dict[str, Any] = {
    "version": CHALLENGER,
    "shadow_minutes": 0,  # so that callers get its answers at once
    "steps": [{"weight": WEIGHT, "minutes": 600}],
    "shadow_share": 1.0,
    "guardrails": {"max_prediction_shift": 0.1, "min_accuracy_delta": 0.0},
}
CUSTOMERS = 500
ENDED = ("succeeded", "rolled_back", "aborted", "failed")
FOLLOWS_SECONDS = 3
"""A local predict looks each second whether the rollout has ended."""
REQUESTS_AFTER = 40
_LABELS_AT_ONCE = 1000


@dataclass(frozen=True)
class Asked:
    """A request, and its answer: the status, and which version has answered.

    Attributes:
        customer: Its routing key.
        beyond: Whether the crashing challenger cannot answer it.
    """

    customer: str
    beyond: bool
    status: int
    version: int | None
    variant: str | None


@dataclass
class Watched:
    """What became of a rollout: its record, the requests until it ended, and those after it."""

    kind: Kind
    rollout: dict[str, Any]
    during: list[Asked] = field(default_factory=list)
    after: list[Asked] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From the start of the rollout to its end."""
        began, ended = (datetime.fromisoformat(self.rollout[name]) for name in ("created_at", "completed_at"))
        return (ended - began).total_seconds()

    @property
    def by_challenger(self) -> list[Asked]:
        return [each for each in self.during if each.variant == "canary"]

    @property
    def share(self) -> float:
        """The challenger's part of the answers."""
        return len(self.by_challenger) / len(self.during)

    def is_chosen(self, asked: Asked) -> bool:
        """Return whether the customer is one of those whom the challenger answers."""
        return in_canary(self.rollout["rollout_id"], asked.customer, WEIGHT)

    @property
    def figure(self) -> dict[str, Any]:
        """What the record has of the guardrail that was broken."""
        (found,) = [each for each in self.rollout["figures"] if each["guardrail"] == self.rollout["broken"]]
        return dict(found)


def watch_all(api: Api, worlds: Mapping[str, World], seconds: float) -> dict[str, Watched]:
    """Watch the rollouts of all kinds of challengers at once.

    Args:
        api: The stack's API.
        worlds: For each kind, by its name, a model without versions.
        seconds: Within this time each rollout has to end.
    """
    for kind in kinds():
        _serve(api, worlds[kind.name], kind)
    with ThreadPoolExecutor(len(worlds)) as pool:
        watched = pool.map(lambda kind: _watch(api, worlds[kind.name].model, kind, seconds), kinds())
        return {each.kind.name: each for each in watched}


def _serve(api: Api, world: World, kind: Kind) -> None:
    """Put the champion into Production, and the challenger into Staging."""
    for onnx, stage in ((champion(), "Production"), (kind.onnx, "Staging")):
        moved = promote(api, world.version(onnx), stage, world.model)
        assert moved["status"] == "succeeded", moved


def _watch(api: Api, model_name: str, kind: Kind, seconds: float) -> Watched:
    """Roll the challenger out, and send requests until the rollout has ended, and some more."""
    route = f"/models/{model_name}/rollouts"
    watched, traffic = Watched(kind, api.post(route, PLAN)), _Traffic(api, model_name, kind)
    looked = 0.0
    while watched.rollout["status"] not in ENDED:
        watched.during.append(traffic.send())
        if traffic.elapsed - looked > 1:
            traffic.send_labels()
            looked, watched.rollout = traffic.elapsed, api.get(f"{route}/{watched.rollout['rollout_id']}")
        assert traffic.elapsed < seconds, watched.rollout
        time.sleep(0.05)
    time.sleep(FOLLOWS_SECONDS)
    watched.after = [traffic.send() for _ in range(REQUESTS_AFTER)]
    return watched


class _Traffic:
    """Requests of many customers, and the labels of their rows."""

    def __init__(self, api: Api, model_name: str, kind: Kind) -> None:
        self._api, self._model, self._kind = api, model_name, kind
        self._random, self._began = random.Random(7), time.monotonic()
        self._labels: list[dict[str, Any]] = []

    @property
    def elapsed(self) -> float:
        """Seconds since the first request."""
        return time.monotonic() - self._began

    def send(self) -> Asked:
        """Send a request."""
        customer = f"customer {self._random.randrange(CUSTOMERS)}"
        beyond = self._random.random() < self._kind.beyond
        labels = [self._random.randrange(CLASSES) for _ in range(self._kind.rows)]
        rows = [self._row(label, beyond) for label in labels]
        path, source = (
            ("/predict", {"inputs": rows[0]}) if len(rows) == 1 else ("/predict/batch", {"inputs_list": rows})
        )
        answer = self._api.send("POST", path, {**source, "model_name": self._model}, {"x-routing-key": customer})
        found = answer.json
        if self._kind.labelled and answer.status == 200:
            id_ = found["prediction_id"]
            self._labels += [{"prediction_id": id_, "row": row, "label": label} for row, label in enumerate(labels)]
        return Asked(customer, beyond, answer.status, found.get("model_version"), found.get("variant"))

    def send_labels(self) -> None:
        """Send the labels of the rows since the last time."""
        labels, self._labels = iter(self._labels), []
        while some := list(itertools.islice(labels, _LABELS_AT_ONCE)):
            self._api.post("/feedback/batch", {"model_name": self._model, "labels": some})

    def _row(self, label: int, beyond: bool) -> list[float]:
        last = BEYOND if beyond else self._random.random() + self._kind.growth * self.elapsed
        return [*(self._random.uniform(0, 0.3) + (place == label) for place in range(CLASSES)), last]
