"""Resident memory of the function over many requests and many swaps. Run: `python -m benchmarks.memory REQUESTS SWAPS`.

A process of its own, so that nothing else's memory is counted; it prints one JSON object.
"""

import json
import os
import sys
from typing import Any

import psutil

from benchmarks import environment


def main(requests: int, swaps: int) -> dict[str, Any]:
    """MiB after the first answer, after the first swap and at the end; the swaps are spread over the requests."""
    from tests.support.serving import served

    # All made before, because the onnx package and the weights of 50 models are not the function's memory.
    versions = [served(version) for version in range(1, swaps + 2)]
    with environment.bucket(versions[0]) as bucket:
        environment.enter(bucket.variables())
        from benchmarks.direct import bodies, event

        events = [event("/predict", body) for body in bodies(2000, seed=1)]
        real, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115
        from predict import app

        process = psutil.Process()
        after: dict[str, float] = {}
        step = requests // (swaps + 1)
        for number in range(requests):
            if number % step == 0 and number // step in range(1, swaps + 1):
                bucket.promote(versions[number // step])
                app.models.recheck()
            response = app.handler(events[number % len(events)], None)
            assert response["statusCode"] == 200, response
            if number == 0:
                after["first_answer"] = process.memory_info().rss / 2**20
            # Not right at the swap: once the small caches are full, which is what the later figures have too.
            if number == step + 1000:
                after["first_swap"] = process.memory_info().rss / 2**20
        after["end"] = process.memory_info().rss / 2**20
        last = json.loads(response["body"])["model_version"]
        sys.stdout = real
    return {
        "requests": requests,
        "swaps": last - 1,
        **{f"mib_after_{name}": round(value, 1) for name, value in after.items()},
        "end_over_first_swap": round(after["end"] / after["first_swap"], 4),
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
