"""Prepare what the pictures show: runs, versions in several stages, and a day of predictions that ends in drift."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

from infra.local import deploy
from infra.local.api import Api
from infra.local.demo_steps import ENDED, until_served
from infra.local.held_out import held_out
from infra.local.settings import Settings
from mlops.domain.names import DEFAULT_MODEL_NAME

MODEL = DEFAULT_MODEL_NAME
EXPERIMENT = "demo-digits"
HOURS = 24
NIGHT = range(9, 12)
"""Hours ago with almost no requests."""
DRIFTS_FROM = 5
"""Hours ago when the images began to change."""
Lines = list[str]


class Scene:
    """Brings the stack into the state that the pictures show."""

    def __init__(self, settings: Settings, api: Api) -> None:
        self._settings, self._api = settings, api

    def staging(self) -> None:
        """Put a challenger into Staging, beside the version in Production."""
        asked = {"experiment_name": EXPERIMENT, "model_name": MODEL, "run_name": "challenger"}
        job_id = self._api.post("/train", {**asked, "epochs": 20, "learning_rate": 0.002, "hidden_size": 256})["job_id"]
        job = self._api.wait(f"/train/status/{job_id}", until=lambda answer: answer["status"] in ENDED)
        transition = {"model_name": MODEL, "version": job["model_version"], "stage": "Staging", "reason": "to compare"}
        self._api.post("/models/transition?wait=20", transition)

    def traffic(self) -> None:
        """Make a day of predictions: log lines of predict from one minute, delivered as those of earlier hours."""
        version = self._api.get(f"/models/{MODEL}")["production_version"]
        images, _ = held_out("digits")
        until_served(self._api, {"image": images[0], "model_name": MODEL}, version)
        began = int(time.time() * 1000)
        # Paler ink, as from another pen.
        paler = [[round(0.8 * pixel, 4) for pixel in image] for image in images]
        usual, changed = (self._predict(each, began) for each in (images[:300], paler[:300]))
        function = self._function("PredictionLogFunction")
        for hour, lines in day(usual, changed):
            at = (int(time.time()) - hour * 3600) * 1000
            self._deliver(function, hour, at, lines)
        self._api.wait(f"/drift/stats?model_name={MODEL}", until=lambda stats: stats["total_predictions"] > 5000)

    def running(self) -> str:
        """Start a long sweep and return its id."""
        asked = {"num_runs": 6, "epochs": 100, "experiment_name": "long-runs", "model_name": MODEL}
        sweep_id: str = self._api.post("/sweeps", {**asked, "register_best": False})["sweep_id"]
        return sweep_id

    def _predict(self, images: list[list[float]], began: int) -> Lines:
        """Ask for predictions and return the lines that predict logged about them."""
        logs = deploy.client(self._settings, "logs")
        groups = [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]]
        group = next(name for name in groups if "PredictLogs" in name)
        ids = set()
        for start in range(0, len(images), 100):
            body = {"images": images[start : start + 100], "model_name": MODEL}
            ids.add(self._api.send("POST", "/predict/batch", body).headers["x-request-id"])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            events = logs.filter_log_events(logGroupName=group, startTime=began, filterPattern='"mlops.prediction"')
            lines = [each["message"] for each in events["events"] if any(each_id in each["message"] for each_id in ids)]
            if len(lines) == len(ids):
                return lines
            time.sleep(0.3)
        raise TimeoutError(f"the log group {group} does not hold the lines of {len(ids)} requests")

    def _deliver(self, function: str, hour: int, milliseconds: int, lines: Lines) -> None:
        events = [
            {"id": f"{milliseconds:032d}{number:024d}", "timestamp": milliseconds, "message": line}
            for number, line in enumerate(lines)
        ]
        message = {"messageType": "DATA_MESSAGE", "logStream": f"screenshots-{hour}", "logEvents": events}
        data = base64.b64encode(gzip.compress(json.dumps(message).encode())).decode()
        answer: Any = deploy.client(self._settings, "lambda").invoke(
            FunctionName=function, Payload=json.dumps({"awslogs": {"data": data}}).encode()
        )
        if "FunctionError" in answer:
            raise RuntimeError(answer["Payload"].read().decode())

    def _function(self, part: str) -> str:
        functions = deploy.client(self._settings, "lambda").list_functions()["Functions"]
        return next(str(each["FunctionName"]) for each in functions if part in each["FunctionName"])


def day(usual: Lines, changed: Lines) -> Iterator[tuple[int, Lines]]:
    """Yield (hours ago, lines) from a day ago to now: few lines at night, more and more changed ones at the end."""
    for hour in reversed(range(HOURS)):
        count = 1 if hour in NIGHT else len(usual)
        new = min(count, max(0, DRIFTS_FROM - hour))
        yield hour, usual[: count - new] + changed[:new]
