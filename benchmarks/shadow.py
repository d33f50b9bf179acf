"""The shadow bench: POST /predict while a rollout asks both versions each time, against the floor of two models.

`python -m benchmarks.shadow [--quick]`. What the figures mean stands in docs/performance.md.
"""

import os

# As the function sets it: one thread for numpy's products, for the floor and the handler alike. Before numpy's import.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import time
from typing import Any

from benchmarks import direct, environment, machine, peers
from benchmarks.predict import measure_warm
from mlops.domain.manifest import manifest_key
from mlops.domain.rollout.live import CANARY, LiveRollout, rollout_key
from tests.support.serving import served

BOUND = 1.6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the repetitions: to see that it runs")
    rounds = 2 if parser.parse_args().quick else 9
    champion, challenger = served(1), served(2)
    name = champion.manifest.model_name
    result: dict[str, Any] = {"machine": machine.describe("numpy", "onnxruntime", "orjson")}
    with environment.bucket(champion) as bucket:
        bucket.promote(challenger)  # for its file; the manifest of Production is written again
        bucket.promote(champion)
        environment.enter(bucket.variables())
        with direct.quiet():
            from predict import app

            assert app.models.current(name, "Production")
        result["without"] = measure_warm(app.handler, peers.floor(champion.onnx), rounds)
        canary = challenger.manifest
        bucket.path(manifest_key(name, CANARY)).write_bytes(canary.to_json())
        live = LiveRollout("ro_bench", 1, 2, canary.sha256, 0, 0.0, 1.0, 2.0, time.time() + 86_400, 0.1)
        bucket.path(rollout_key(name)).write_bytes(live.to_json())
        app.rollouts.recheck()
        first = direct.event("/predict", direct.bodies(1)[0])
        with direct.quiet():
            app.handler(first, None)
            trial = app.rollouts.of(app.models.current(name, "Production")[0])
        assert trial is not None
        assert trial.challenger is not None, "both versions are asked"
        result["shadow"] = measure_warm(app.handler, peers.floor(champion.onnx, challenger.onnx), rounds)
    result["shadow_p50_over_floor_of_two"] = result["shadow"]["p50_over_floor"]
    machine.write("shadow", "shadow", result, _text(result))
    print((machine.RESULTS / "shadow.md").read_text())


def _text(result: dict[str, Any]) -> str:
    without, shadow = result["without"], result["shadow"]
    rows = [
        ["no rollout", without["us"]["floor_p50"], without["us"]["ours_p50"], without["p50_over_floor"], "1.5"],
        [
            "both versions for every request",
            shadow["us"]["floor_p50"],
            shadow["us"]["ours_p50"],
            shadow["p50_over_floor"],
            BOUND,
        ],
    ]
    return (
        "The floor decodes the request, asks one model or both, and encodes one answer. Medians of microseconds.\n\n"
        + machine.table(["", "floor, µs", "handler, µs", "handler / floor", "at most"], rows)
    )


if __name__ == "__main__":
    main()
