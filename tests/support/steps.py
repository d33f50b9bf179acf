"""Steps that several tests take."""

import json
import time
from typing import Any

from infra.local.api import Api
from infra.local.processes import free_ports as free_ports

DIGITS_MODEL = "digit-classifier"
ENDED = ("completed", "failed", "cancelled")


def train(api: Api, **parameters: Any) -> dict[str, Any]:
    """Train to the end; the job as it stands then."""
    job = api.post("/train", parameters)
    done: dict[str, Any] = api.wait(
        f"/train/status/{job['job_id']}", until=lambda answer: answer["status"] in ENDED, seconds=300
    )
    return done


def promote(
    api: Api, version: int, stage: str = "Production", model: str = DIGITS_MODEL, **more: Any
) -> dict[str, Any]:
    """Ask for a transition and wait for its outcome."""
    wish = {"model_name": model, "version": version, "stage": stage, **more}
    moved: dict[str, Any] = api.post("/models/transition?wait=20", wish)
    if moved["status"] == "queued":
        moved = api.wait(
            f"/models/transitions/{moved['transition_id']}", until=lambda answer: answer["status"] != "queued"
        )
    return moved


def wait_until_served(api: Api, model: str, version: int, image: list[float], seconds: float = 20) -> None:
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
