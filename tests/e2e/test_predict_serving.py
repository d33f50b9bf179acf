"""predict on the running stack: through a stream of promotions, and with everything behind it broken."""

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.local.api import Api
from infra.local.stack import Stack
from tests.conftest import RunningStack
from tests.support.steps import promote, train, wait_until_served

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own

MODEL = "followed"
VERSIONS = 4
CLIENTS = 8
REQUESTS = int(os.environ.get("PREDICT_REQUESTS", "2000"))
"""`PREDICT_REQUESTS=50000` is the long run of docs/performance.md; each takes some milliseconds here."""
REFRESH_SECONDS = 1.0  # MODEL_REFRESH_SECONDS of the local stack


@dataclass(frozen=True)
class Held:
    """A version's time in Production, as seen from outside: it entered after `asked`, and left before `left`."""

    version: int
    asked: float
    left: float


@dataclass(frozen=True)
class Seen:
    """One answer, with when its request began and ended."""

    began: float
    ended: float
    status: int
    version: int | None
    staleness: float


@pytest.fixture(scope="session")  # not module: the slow tests of this module run long after the others
def versions(api: Api) -> list[int]:
    """Four registered versions of one model, the first in Production."""
    jobs = [train(api, epochs=1, seed=seed, model_name=MODEL, hidden_size=32) for seed in range(VERSIONS)]
    found = [job["model_version"] for job in jobs]
    assert promote(api, found[0], model=MODEL, force=True, reason="first")["status"] == "succeeded"
    return found


def test_requests_through_a_stream_of_promotions(api: Api, stack: RunningStack, versions: list[int], held_out) -> None:
    images, _ = held_out
    wait_until_served(api, MODEL, versions[0], images[0])
    bodies = [json.dumps({"image": image, "model_name": MODEL}) for image in images[:200]]
    ended = threading.Event()
    held: list[Held] = []

    def keep_promoting() -> None:
        version, asked, turn = versions[0], time.monotonic(), 0
        while not ended.is_set():
            began, turn = time.monotonic(), turn + 1
            following = versions[turn % len(versions)]
            moved = promote(api, following, model=MODEL, force=True, reason=f"turn {turn}")
            assert moved["status"] == "succeeded", moved
            held.append(Held(version, asked, time.monotonic()))
            version, asked = following, began
            ended.wait(max(0.0, 1.0 - (time.monotonic() - began)))
        held.append(Held(version, asked, float("inf")))

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        promoting = pool.submit(keep_promoting)
        clients = [pool.submit(client, stack, bodies, number) for number in range(CLIENTS)]
        try:
            seen = [answer for each in clients for answer in each.result()]
        finally:
            ended.set()
        promoting.result()

    assert len(seen) == REQUESTS // CLIENTS * CLIENTS
    assert {answer.status for answer in seen} == {200}
    assert len(held) >= 3
    served = {answer.version for answer in seen}
    assert len(served) >= 2, "no promotion was followed"
    late = [answer for answer in seen if not explained(answer, held)]
    assert late == [], f"{len(late)} of {len(seen)} from a version that had left Production too long before"
    staleness = sorted(answer.staleness for answer in seen)
    assert staleness[len(seen) * 9 // 10] <= REFRESH_SECONDS + 1
    took = max(answer.ended for answer in seen) - min(answer.began for answer in seen)
    print(f"{len(seen)} requests, {len(held)} promotions, {len(served)} versions, {len(seen) / took:.0f} requests/s")


def explained(answer: Seen, held: list[Held]) -> bool:
    """Was the version in Production during the request, or left it at most the refresh interval + 1 s before?"""
    return any(
        span.version == answer.version
        and span.asked <= answer.ended
        and answer.began <= span.left + REFRESH_SECONDS + 1
        for span in held
    )


def client(stack: RunningStack, bodies: list[str], number: int) -> list[Seen]:
    parts = urlsplit(stack.api_url)
    headers = {"content-type": "application/json", "x-api-key": stack.api_key}
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    seen = []
    for turn in range(REQUESTS // CLIENTS):
        began = time.monotonic()
        connection.request("POST", "/predict", bodies[(turn * CLIENTS + number) % len(bodies)], headers)
        response = connection.getresponse()
        document = json.loads(response.read())
        staleness = float(response.headers.get("x-model-staleness", "0"))
        version = document.get("model_version")
        seen.append(Seen(began, time.monotonic(), response.status, version, staleness))
    connection.close()
    return seen


@pytest.fixture
def paused(stack: RunningStack) -> Iterator[Callable[..., None]]:
    """Stops processes of the stack where they are: they keep their ports and answer nothing, the worst outage."""
    pids: list[int] = []

    def pause(*names: str) -> None:
        rows = {row.name: row for row in Stack(stack.settings, say=lambda text: None).status()}
        for name in names:
            assert rows[name].pid is not None
            pids.append(rows[name].pid)
            os.kill(pids[-1], signal.SIGSTOP)

    yield pause
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def test_predictions_go_on_without_mlflow_and_postgres(
    api: Api, versions: list[int], held_out, paused: Callable[..., None]
) -> None:
    images, _ = held_out
    paused("tracking", "database")
    for image in images[:30]:  # past several refreshes
        answer = api.send("POST", "/predict", {"image": image, "model_name": MODEL})
        assert answer.status == 200, answer.data
        assert float(answer.headers["x-model-staleness"]) <= REFRESH_SECONDS + 1
        time.sleep(0.1)


def test_bad_files_put_into_the_bucket_by_hand_leave_the_model_serving(
    api: Api, aws_client: Callable[[str], Any], outputs: dict[str, str], versions: list[int], held_out
) -> None:
    images, _ = held_out
    s3, bucket = aws_client("s3"), outputs["ArtifactBucketName"]
    key = f"serving/{MODEL}/Production.json"
    before = api.post("/predict", {"image": images[0], "model_name": MODEL})["model_version"]
    manifest = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    document = json.loads(manifest)
    bad = [
        manifest[:-10],
        json.dumps(document | {"sha256": "0" * 64, "key": f"serving/{MODEL}/{'0' * 64}.onnx"}).encode(),
        json.dumps(document | {"key": "mlflow/elsewhere.onnx"}).encode(),
        json.dumps(document | {"size": document["size"] + 1, "cache_epoch": 99}).encode(),
    ]
    try:
        for data in bad:
            s3.put_object(Bucket=bucket, Key=key, Body=data)
            time.sleep(REFRESH_SECONDS + 0.2)
            for image in images[:20]:
                answer = api.send("POST", "/predict", {"image": image, "model_name": MODEL})
                assert (answer.status, answer.json["model_version"]) == (200, before)
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=manifest)


def test_a_new_cache_epoch_goes_through_promotion(
    api: Api, aws_client: Callable[[str], Any], outputs: dict[str, str], versions: list[int]
) -> None:
    s3, bucket = aws_client("s3"), outputs["ArtifactBucketName"]

    def epoch() -> int:
        document = json.loads(s3.get_object(Bucket=bucket, Key=f"serving/{MODEL}/Production.json")["Body"].read())
        found: int = document["cache_epoch"]
        return found

    before = epoch()
    answer = api.send("DELETE", f"/predict/cache?model_name={MODEL}")
    assert answer.status == 202, answer.data
    assert answer.json == {"status": "queued", "model_name": MODEL, "stages": ["Production", "Staging"]}
    deadline = time.monotonic() + 120
    while epoch() != before + 1:
        assert time.monotonic() < deadline
        time.sleep(0.2)
