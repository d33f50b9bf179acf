"""The predict bench: the function against its floors and its peers, in one run, as ratios.

`python -m benchmarks.predict [--quick]`. What each figure means, and what it costs, stands in docs/performance.md.
"""

import os

# As the function sets it: one thread for numpy's products, for the floor and the peers alike. Before numpy's import.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import cold, direct, environment, load, machine, monitoring, peers, warm_peers
from benchmarks.direct import bodies
from benchmarks.local_stack import local_stack
from infra.local import deploy
from tests.support.serving import served

PACKAGES = ("numpy", "onnxruntime", "orjson", "botocore", "fastapi", "pydantic", "mangum", "mlflow")
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the repetitions: to see that it runs")
    scale = 0.1 if parser.parse_args().quick else 1.0
    result: dict[str, Any] = {"machine": machine.describe(*PACKAGES)}
    say("the local API")
    result["api"] = measure_api(int(2_000 * scale))
    say("memory: requests and swaps")
    result["memory"] = measure_memory(int(100_000 * scale), 50)
    say("monitoring: the log line, and nothing else")
    result["monitoring"] = measure_monitoring(max(2, int(9 * scale)))
    model = served(1)
    with environment.bucket(model) as bucket:
        say("cold: fresh processes")
        result["cold"] = measure_cold(bucket, model.manifest.key, max(3, int(15 * scale)))
        environment.enter(bucket.variables())
        with direct.quiet():
            from predict import app

            assert app.models.current(model.manifest.model_name, "Production")
        say("warm: the handler against its floor")
        result["warm"] = measure_warm(app.handler, peers.floor(model.onnx), max(2, int(9 * scale)))
        with monitoring.measuring(True):
            floor = peers.floor(model.onnx)
            result["warm_measuring_all"] = measure_warm(app.handler, floor, max(2, int(5 * scale)))
        say("batch: 100 images a request")
        result["batch"] = measure_batch(app.handler, max(20, int(200 * scale)))
        say("answer cache")
        result["answer_cache"] = measure_answer_cache(app, max(2, int(7 * scale)))
        say("peers: CPU per request, in process")
        result["peers"] = measure_peers(max(2, int(9 * scale)), 12)
    result = {**keys(result), **result}
    machine.write("predict", "predict", result, tables(result))
    print(f"wrote {machine.RESULTS}/predict.json and .md")
    for name in KEYS:
        print(f"  {name:32} {result[name]}")


KEYS = (
    "warm_p50_over_floor",
    "warm_p99_over_floor",
    "cold_over_floor",
    "batch_image_over_single",
    "cpu_mlflow_over_ours",
    "cpu_fastapi_mangum_over_ours",
)


def keys(result: dict[str, Any]) -> dict[str, float]:
    """The ratios that the bounds are put on."""
    over_ours = result["peers"]["over_ours"]
    return {
        "warm_p50_over_floor": result["warm"]["p50_over_floor"],
        "warm_p99_over_floor": result["warm"]["p99_over_floor"],
        "cold_over_floor": result["cold"]["ours_over_floor"],
        # The route's cost is what its caller waits for and pays for, so it is taken through the API. In process a batch
        # cannot fall much below a third: decoding 784 numbers is the same work in either.
        "batch_image_over_single": result["api"]["batch_image_over_single"],
        "cpu_mlflow_over_ours": over_ours["mlflow"],
        "cpu_fastapi_mangum_over_ours": over_ours["fastapi_mangum"],
    }


def measure_cold(bucket: environment.Bucket, key: str, repeat: int) -> dict[str, Any]:
    """Medians over processes started in turn, so that all three meet the same moments of the machine."""
    variables = bucket.variables() | {"BENCH_KEY": key, "BENCH_FILE": str(bucket.path(key))}
    event = direct.event("/predict", bodies(1)[0])
    seconds: dict[str, list[float]] = {name: [] for name in cold.PROGRAMS}
    for _ in range(repeat):
        for name in cold.PROGRAMS:
            seconds[name].append(cold.first_answer(name, event, variables))
    found = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "processes": repeat,
        "median_ms": {name: round(value * 1000, 1) for name, value in found.items()},
        "ours_over_floor": round(found["ours"] / found["floor"], 3),
        "ours_over_bare": round(found["ours"] / found["bare"], 3),
    }


def measure_warm(handler: Handler, floor: direct.Peer, rounds: int) -> dict[str, Any]:
    """Each body once through the floor and once through the handler, in turn; the median round of each ratio."""
    rows: list[dict[str, float]] = []
    with direct.quiet():
        for number in range(rounds):
            times: tuple[list[float], list[float]] = ([], [])
            for event in [direct.event("/predict", body) for body in bodies(2000, seed=number)]:
                began = time.perf_counter()
                floor(event)
                between = time.perf_counter()
                handler(event, None)
                ended = time.perf_counter()
                times[0].append(between - began)
                times[1].append(ended - between)
            rows.append(
                {
                    f"{name}_p{share}": float(np.percentile(values, share)) * 1e6
                    for name, values in zip(("floor", "ours"), times, strict=True)
                    for share in (50, 99)
                }
            )
    middle = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    return {
        "requests": rounds * 2000,
        "body_bytes": len(bodies(1)[0]),
        "us": {name: round(value, 1) for name, value in middle.items()},
        "p50_over_floor": round(statistics.median(row["ours_p50"] / row["floor_p50"] for row in rows), 3),
        "p99_over_floor": round(statistics.median(row["ours_p99"] / row["floor_p99"] for row in rows), 3),
    }


def measure_batch(handler: Handler, repeat: int) -> dict[str, Any]:
    """CPU of images one by one and a hundred at a time: pixels 0..1 with four decimals, and bytes with scale 255."""
    found: dict[str, Any] = {}
    for kind, extra in (("decimals", {}), ("bytes", {"scale": 255})):
        images = [json.loads(body)["image"] for body in bodies(100, kind=kind)]
        batch = direct.event("/predict/batch", json.dumps({"images": images, **extra}))
        singles, batches = [], []
        with direct.quiet():
            for _ in range(repeat):
                batches.append(per_request(handler, [batch]) / len(images))
                events = [direct.event("/predict", body) for body in bodies(20, kind=kind, seed=len(singles) + 5000)]
                singles.append(per_request(handler, events))
        single, each = statistics.median(singles), statistics.median(batches)
        found[kind] = {
            "single_us": round(single * 1e6, 1),
            "batch_us_per_image": round(each * 1e6, 1),
            "over_single": round(each / single, 3),
        }
    return found


def measure_answer_cache(app: Any, rounds: int) -> dict[str, Any]:
    """What a kept answer saves, what looking for one costs, and so from which share of repeats on it pays."""
    from predict.response_cache import AnswerCache

    texts = bodies(2000)
    kept, none = AnswerCache(), NoAnswers()
    cpu: dict[str, list[float]] = {"hit": [], "miss": [], "without": []}
    with direct.quiet():
        for number in range(rounds):
            for name, cache in (("miss", kept), ("without", none)):
                app.answers = cache
                events = [direct.event("/predict", body) for body in bodies(2000, seed=1000 + number)]
                cpu[name].append(per_request(app.handler, events))
            app.answers = kept
            # The same text in another object each time, as a request brings it.
            app.handler(direct.event("/predict", texts[0]), None)
            cpu["hit"].append(
                per_request(app.handler, [direct.event("/predict", texts[0][:-1] + "}") for _ in range(2000)])
            )
    hit, miss, without = (statistics.median(cpu[name]) * 1e6 for name in ("hit", "miss", "without"))
    return {
        "hit_us": round(hit, 1),
        "miss_us": round(miss, 1),
        "without_cache_us": round(without, 1),
        "pays_from_share_of_repeats": round(max(0.0, (miss - without) / (miss - hit)), 3),
    }


class NoAnswers:
    """An answer cache that keeps nothing and costs nothing."""

    def get(self, *_: Any) -> None:
        return None

    def put(self, *_: Any) -> None:
        return None


def measure_peers(processes: int, rounds: int) -> dict[str, Any]:
    """CPU time per request, as medians over processes: where a process has its memory makes a twentieth of it."""
    found = [in_a_process_of_its_own("warm_peers", rounds) for _ in range(processes)]

    def over(other: str) -> dict[str, float]:
        return {name: round(statistics.median(cpu[name] / cpu[other] for cpu in found), 2) for name in warm_peers.PEERS}

    return {
        "processes": processes,
        "requests": processes * rounds * warm_peers.IMAGES,
        "cpu_us": {name: round(statistics.median(cpu[name] for cpu in found), 1) for name in warm_peers.PEERS},
        "over_floor": over("floor"),
        "over_ours": over("ours"),
    }


def measure_memory(requests: int, swaps: int) -> dict[str, Any]:
    return in_a_process_of_its_own("memory", requests, swaps)


def measure_monitoring(rounds: int) -> dict[str, Any]:
    return in_a_process_of_its_own("monitoring", rounds)


def in_a_process_of_its_own(part: str, *arguments: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{part}", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_api(requests: int) -> dict[str, Any]:
    """Through the local API: the gateway, the Lambda environments and the network stack of the local AWS included."""
    with local_stack() as (settings, variables):
        deployed = deploy.describe(settings)
        assert deployed is not None
        for key, data in served(1).objects().items():
            deploy.client(settings, "s3").put_object(Bucket=deployed.outputs["ArtifactBucketName"], Key=key, Body=data)
        return load_api(variables["MLOPS_API_URL"], variables["MLOPS_API_KEY"], requests)


def load_api(address: str, key: str, requests: int) -> dict[str, Any]:
    """1, 8 and 32 clients with single requests, then one client with batches of 100."""
    texts = bodies(500)
    batch = json.dumps({"images": [json.loads(text)["image"] for text in texts[:100]]})
    load.run(address, key, "/predict", texts, 32, 64)  # every environment has the model now
    rows = []
    for clients in (1, 8, 32):
        done = load.run(address, key, "/predict", texts, clients, requests)
        rows.append(
            {
                "clients": clients,
                "requests_per_second": round(requests / done.took, 1),
                **{f"p{share}_ms": round(done.at(share / 100) * 1000, 2) for share in (50, 95, 99)},
                "statuses": done.statuses,
            }
        )
    batches = load.run(address, key, "/predict/batch", [batch], 1, max(10, requests // 40))
    return {
        "single": rows,
        "batch_100_p50_ms": round(batches.at(0.5) * 1000, 2),
        "batch_statuses": batches.statuses,
        "batch_image_over_single": round(batches.at(0.5) / 100 * 1000 / rows[0]["p50_ms"], 4),
    }


def per_request(handler: Handler, events: list[dict[str, Any]]) -> float:
    began = time.process_time()
    for event in events:
        handler(event, None)
    return (time.process_time() - began) / len(events)


def say(what: str) -> None:
    print(f"predict bench: {what}", flush=True)


def tables(result: dict[str, Any]) -> str:
    warm, cold_, batch, cache = result["warm"], result["cold"], result["batch"], result["answer_cache"]
    every = result["warm_measuring_all"]
    memory, api, found = result["memory"], result["api"], result["peers"]
    bounds = ("≤ 1.5", "≤ 3", "≤ 1.2", "≤ 0.25", "≥ 20", "≥ 4")
    parts = [
        "## The bounds\n",
        machine.table(["ratio", "measured", "bound"], [[n, result[n], b] for n, b in zip(KEYS, bounds, strict=True)]),
        f"## Warm, {warm['body_bytes']} bytes a request\n",
        machine.table(
            ["µs", "p50", "p99"],
            [
                ["floor: orjson, numpy, session.run, orjson", warm["us"]["floor_p50"], warm["us"]["floor_p99"]],
                ["the handler", warm["us"]["ours_p50"], warm["us"]["ours_p99"]],
                ["the handler, every image measured", every["us"]["ours_p50"], every["us"]["ours_p99"]],
            ],
        ),
        f"With every image measured: {every['p50_over_floor']} and {every['p99_over_floor']} times the floor.\n",
        "## CPU per request, in process\n",
        machine.table(
            ["", "µs", "x floor", "x ours"],
            [[n, found["cpu_us"][n], found["over_floor"][n], found["over_ours"][n]] for n in warm_peers.PEERS],
        ),
        "## Fresh process to first answer\n",
        machine.table(
            ["", "ms"],
            [
                ["ours", cold_["median_ms"]["ours"]],
                ["floor: with botocore's S3 client", cold_["median_ms"]["floor"]],
                ["bare: numpy, onnxruntime and a local file", cold_["median_ms"]["bare"]],
            ],
        ),
        "## Batch of 100: CPU, in process\n",
        machine.table(
            ["pixels as", "single, µs", "batch, µs per image", "ratio"],
            [[k, r["single_us"], r["batch_us_per_image"], r["over_single"]] for k, r in batch.items()],
        ),
        "## Answer cache\n",
        machine.table(
            ["", "µs"],
            [["hit", cache["hit_us"]], ["miss", cache["miss_us"]], ["without a cache", cache["without_cache_us"]]],
        ),
        f"It pays from {cache['pays_from_share_of_repeats']:.1%} of requests on that repeat one of the last 250.\n",
        "## What monitoring costs a prediction\n",
        monitoring.table(result["monitoring"]),
        "## Memory\n",
        machine.table(
            ["MiB after", ""],
            [
                ["the first answer", memory["mib_after_first_answer"]],
                ["the first swap", memory["mib_after_first_swap"]],
                [f"{memory['requests']} requests, {memory['swaps']} swaps", memory["mib_after_end"]],
            ],
        ),
        "## Through the local API\n",
    ]
    parts += [
        machine.table(
            ["clients", "requests/s", "p50 ms", "p95 ms", "p99 ms"],
            [[r["clients"], r["requests_per_second"], r["p50_ms"], r["p95_ms"], r["p99_ms"]] for r in api["single"]],
        ),
        f"A batch of 100 takes {api['batch_100_p50_ms']} ms (p50, one client).\n",
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    main()
