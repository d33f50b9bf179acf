"""Each function as it is built for Lambda: its size and budget, its start and its first answers under AWS's emulator.

python -m benchmarks.functions
"""

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.local_stack import api_of, local_stack
from infra import artifacts
from infra.local.settings import Settings
from tools.runtime.custom_resource import Receiver
from tools.runtime.deployed import Deployed
from tools.runtime.emulated import Emulated
from tools.runtime.events import event, give_their_key_a_role
from tools.runtime.functions import MB, zip_functions

ROUNDS = 5
LARGEST = 12


def main() -> None:
    """Build what is not built yet, measure, and write benchmarks/results/functions.*."""
    runtime = artifacts.runtime()
    functions = zip_functions(artifacts.layers(runtime))
    tree = artifacts.tracking_tree(runtime)
    result: dict[str, Any] = {
        "machine": machine.describe("boto3", "fastapi", "onnxruntime", "mlflow"),
        "functions_python": runtime.version,
        "tracking_image_mb": {name: size / MB for name, size in artifacts.content(tree).items()},
    }
    with serving() as (settings, env), tempfile.TemporaryDirectory() as folder:
        deployed = Deployed(settings, env, runtime)
        log = Path(folder) / "emulated.log"
        result["functions"] = {
            name: {
                "mb": each.size() / MB,
                "budget_mb": each.budget / MB,
                **measured(name, lambda each=each: deployed.function(each, log)),
            }
            for name, each in sorted(functions.items())
        }
        result["functions"]["tracking"] = measured("tracking", lambda: deployed.tracking(tree, log))
    machine.write("functions", "Functions as they are built", result, tables(result))
    print((machine.RESULTS / "functions.md").read_text())


@contextmanager
def serving() -> Iterator[tuple[Settings, dict[str, str]]]:
    """A stack of its own with a version in Production, and a role for the key that the events name."""
    with local_stack() as (settings, env):
        api = api_of(env)
        job = api.post("/train", {"epochs": 2})["job_id"]
        ended = api.wait(f"/train/status/{job}", until=lambda each: each["status"] in ("completed", "failed"))
        wish = {"model_name": ended["model_name"], "version": ended["model_version"], "stage": "Production"}
        api.post("/models/transition?wait=20", {**wish, "reason": "benchmark"})
        give_their_key_a_role(settings)
        yield settings, env


def measured(name: str, start: Any) -> dict[str, float]:
    """Medians of the starts: milliseconds of init, of the first answer (init is in it) and of the second one."""
    rounds = []
    with Receiver() as cloudformation:
        asked = event(name)
        if "ResponseURL" in asked:
            asked["ResponseURL"] = cloudformation.url
        for _ in range(ROUNDS):
            emulated: Emulated = start()
            try:
                emulated.invoke(asked)
                emulated.invoke(asked)
                rounds.append((emulated.init_seconds(), *emulated.seconds))
            finally:
                emulated.stop()
    columns = ("init_ms", "first_ms", "second_ms")
    return {
        name: statistics.median(times) * 1000 for name, times in zip(columns, zip(*rounds, strict=True), strict=True)
    }


def tables(result: dict[str, Any]) -> str:
    rows = [
        [name, *(each.get(column) for column in ("mb", "budget_mb", "init_ms", "first_ms", "second_ms"))]
        for name, each in result["functions"].items()
    ]
    image = result["tracking_image_mb"]
    largest = [[name, size] for name, size in list(image.items())[:LARGEST]]
    rest = sum(image.values()) - sum(size for _, size in largest)
    return "\n".join(
        [
            f"The functions ran on Python {result['functions_python']} (Lambda's: {artifacts.LAMBDA_PYTHON}); medians "
            f"of {ROUNDS} starts. A first answer has init in it. No bytecode is kept but what the layers bring.\n",
            machine.table(
                ["", "MB, unzipped", "budget, MB", "init, ms", "first answer, ms", "second answer, ms"], rows
            ),
            "## The tracking image's packages\n",
            machine.table(["", "MB"], [*largest, [f"{len(image) - LARGEST} more", rest], ["all", sum(image.values())]]),
        ]
    )


if __name__ == "__main__":
    main()
