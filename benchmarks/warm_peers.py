"""CPU per request of predict and its peers, with the same model, in one process and in turn.

`python -m benchmarks.warm_peers ROUNDS`, which benchmarks.predict starts, prints microseconds as JSON.
"""

import os

# As the function sets it: one thread for numpy's products, for the floor and the peers alike. Before numpy's import.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import json
import sys
from typing import Any

from benchmarks import direct, environment, peers
from benchmarks.direct import bodies
from tests.support.serving import served

IMAGES = 150
"""Of a round."""
BUSY = 16_000
"""Requests before the first that is measured. After so many an hour, one image in eight is measured for drift."""
PEERS = ("floor", "ours", "ours_measuring_all", "fastapi", "fastapi_mangum", "fastapi_mangum_async", "mlflow")


def every(*_: Any) -> int:
    """All images are measured, as in a quiet hour."""
    return 1


def measure(rounds: int) -> dict[str, float]:
    """Raises AssertionError if they do not all give the same probabilities."""
    model = served(1)
    with environment.bucket(model) as bucket:
        environment.enter(bucket.variables())
        with direct.quiet():
            from predict import app
            from predict.sampling import Sampling

            sampled = Sampling.takes

            def ours(event: direct.Event) -> bytes:
                text: str = app.handler(event, None)["body"]
                return text.encode()

            def ours_measuring_all(event: direct.Event) -> bytes:
                Sampling.takes = every  # type: ignore[method-assign]
                answer = ours(event)
                Sampling.takes = sampled  # type: ignore[method-assign]
                return answer

            own = {"ours": ours, "ours_measuring_all": ours_measuring_all}
            calls: dict[str, direct.Peer] = {name: own.get(name) or getattr(peers, name)(model.onnx) for name in PEERS}
            first = direct.event("/predict", bodies(1)[0])
            peers.agree({name: call(first) for name, call in calls.items()})
            for body in bodies(BUSY, seed=1):
                ours(direct.event("/predict", body))
            return peers.cpu_us(calls, lambda seed: bodies(IMAGES, seed=seed), rounds)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
