"""Steps that several tests take."""

import json
import os
import random
import time
from typing import Any

from infra.local.api import Api
from infra.local.processes import port_is_free

DIGITS_MODEL = "digit-classifier"
ENDED = ("completed", "failed", "cancelled")

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
# Below the ports that the system gives to outgoing connections, which could take one before the test listens on it.
_PORTS = list(range(20_000 + _WORKER, 32_000, _WORKERS))
random.shuffle(_PORTS)


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, none of them given out before, by this worker of pytest-xdist or another."""
    found: list[int] = []
    while len(found) < count:
        if port_is_free(port := _PORTS.pop()):
            found.append(port)
    return found


def train(api: Api, **parameters: Any) -> dict[str, Any]:
    """Train to the end; the job as it stands then."""
    job = api.post("/train", parameters)
    done: dict[str, Any] = api.wait(f"/train/status/{job['job_id']}", until=lambda answer: answer["status"] in ENDED)
    return done


def promote(
    api: Api, version: int, stage: str = "Production", model: str = DIGITS_MODEL, **more: Any
) -> dict[str, Any]:
    """Ask for a transition and wait for its outcome."""
    wish = {"model_name": model, "version": version, "stage": stage, **more}
    moved: dict[str, Any] = api.post("/models/transition?wait=20", wish)
    if moved["status"] in ("queued", "converting"):
        moved = api.wait(
            f"/models/transitions/{moved['transition_id']}",
            until=lambda answer: answer["status"] not in ("queued", "converting"),
            seconds=300,
        )
    return moved


def wait_until_served(api: Api, model: str, version: int, image: list[float], seconds: float = 120) -> None:
    """Until /predict answers from `version`: it looks for a new one every MODEL_REFRESH_SECONDS."""
    deadline = time.monotonic() + seconds
    while (answer := api.post("/predict", {"image": image, "model_name": model}))["model_version"] != version:
        assert time.monotonic() < deadline, answer
        time.sleep(0.2)


def as_a_newer_version_writes(manifest: bytes) -> bytes:
    """A manifest with fields besides, at every level, that this version does not know."""

    def more(value: Any) -> Any:
        if isinstance(value, dict):
            return {**{key: more(entry) for key, entry in value.items()}, "surprise": {"of": ["a", "later", 2]}}
        return value

    document = json.loads(manifest)
    metrics = document["metrics"]  # names and numbers of the run: nothing but metrics stands there
    return json.dumps({**more(document), "metrics": metrics, "min_reader": 1}).encode()
