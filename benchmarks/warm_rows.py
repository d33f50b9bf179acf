"""Warm rows through the handler and their floor, in a process of its own: as on Lambda, with nothing but the function.

`python -m benchmarks.warm_rows ROUNDS`, which benchmarks.rows starts, prints the result as JSON.
"""

import os

# As the function sets it: one thread for numpy's products, for the floor alike. Before numpy's import.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import json
import statistics
import sys
import time
from typing import Any

import numpy as np
import orjson

from benchmarks import direct

MODEL = "rows"
NUMBERS = [f"number_{index}" for index in range(10)]
TEXTS = [f"text_{index}" for index in range(10)]
COLUMNS = [*NUMBERS, *TEXTS]
LEVELS = ["north", "south", "east", "west", "centre"]
ROUND = 2000
BUSY = 7
"""Rounds before the first that is measured. After so many requests an hour, one in eight has its columns counted."""

Row = dict[str, Any]


def columns_of(count: int, seed: int) -> dict[str, list[Any]]:
    """Return the values of each column."""
    random = np.random.default_rng(seed)
    numbers = {name: random.normal(size=count).round(4).tolist() for name in NUMBERS}
    return numbers | {name: random.choice(LEVELS, count).tolist() for name in TEXTS}


def rows_of(count: int, seed: int) -> list[Row]:
    columns = columns_of(count, seed)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def bodies(count: int, seed: int) -> list[str]:
    return [json.dumps({"row": row}) for row in rows_of(count, seed)]


def floor(onnx: bytes) -> direct.Peer:
    """No less can be done: decode with orjson, make the two arrays, run the session, encode the answer with orjson."""
    session = direct.session_of(onnx)

    def answer(event: direct.Event) -> bytes:
        row = orjson.loads(event["body"])["row"]
        feeds = {
            "numbers": np.array([[row[name] for name in NUMBERS]], np.float32),
            "categories": np.array([[row[name] for name in TEXTS]], object),
        }
        probabilities = session.run(["probabilities"], feeds)[0][0]
        best = int(probabilities.argmax())
        labels = ("leaves", "stays")
        return orjson.dumps(
            {
                "prediction": labels[best],
                "confidence": float(probabilities[best]),
                "probabilities": dict(zip(labels, probabilities.tolist(), strict=True)),
                "model_name": MODEL,
                "model_version": 1,
                "model_stage": "Production",
            }
        )

    return answer


def measure(rounds: int) -> dict[str, Any]:
    """Each body once through the floor and once through the handler, in turn; the median round of the ratio."""
    with direct.quiet():
        from predict import app

        manifest = app.models.current(MODEL, "Production")[0].manifest
        least = floor(_file(app.bucket, manifest.key))
        first = _round(least, app.handler, 0)[1]
        for number in range(1, BUSY):
            _round(least, app.handler, number)
        found = [_round(least, app.handler, BUSY + number) for number in range(rounds)]
    return {
        "requests": rounds * ROUND,
        "body_bytes": len(bodies(1, 0)[0]),
        "us": {
            "floor": _median(least for least, _ in found),
            "ours": _median(ours for _, ours in found),
            "ours_counted": round(first, 1),
        },
        "p50_over_floor": round(statistics.median(ours / least for least, ours in found), 3),
    }


def _round(least: direct.Peer, handler: Any, number: int) -> tuple[float, float]:
    """Return the median of the floor and of the handler, in µs."""
    times: tuple[list[float], list[float]] = ([], [])
    for event in [direct.event("/predict", body) for body in bodies(ROUND, number)]:
        began = time.perf_counter()
        least(event)
        between = time.perf_counter()
        handler(event, None)
        times[0].append(between - began)
        times[1].append(time.perf_counter() - between)
    return statistics.median(times[0]) * 1e6, statistics.median(times[1]) * 1e6


def _file(bucket: Any, key: str) -> bytes:
    content: bytes = bucket.get(key, seconds=60, max_bytes=1 << 26).data
    return content


def _median(values: Any) -> float:
    return round(statistics.median(values), 1)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
