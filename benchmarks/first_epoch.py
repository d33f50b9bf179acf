"""From POST /train to the first epoch on the local stack: how long, and where the time goes.

python -m benchmarks.first_epoch
"""

import json
import statistics
import time
from datetime import datetime
from pathlib import Path

from benchmarks.local_stack import api_of, local_stack
from infra.local.api import Api

RESULTS = Path(__file__).parent / "results"
ROUNDS = 5
STEPS = (
    ("accepted", "the API has answered 202: checked, recorded, submitted to Batch"),
    ("process", "Batch has started the process"),
    ("started", "interpreter up, parameters read"),
    ("data", "the data set is loaded"),
    ("imports", "torch is imported"),
    ("epoch", "the first epoch is done"),
)
EVENTS = {"trainer.started": "started", "data.loaded": "data", "imports.done": "imports", "epoch.done": "epoch"}


def measure(api: Api) -> dict[str, float]:
    """Seconds from the request to each step, for one run."""
    asked = time.time()
    job = api.post("/train", {"epochs": 1, "register": False, "experiment_name": "benchmark"})["job_id"]
    moments = {"accepted": time.time() - asked}
    api.wait(f"/train/status/{job}", until=lambda answer: answer["status"] not in ("pending", "running"))
    for line in api.get(f"/train/jobs/{job}/logs")["lines"]:
        if not line["message"].startswith("{"):
            continue  # a library's own warning
        event = json.loads(line["message"])
        if (step := EVENTS.get(event["event"])) and step not in moments:
            moments[step] = datetime.fromisoformat(event["time"]).timestamp() - asked
            if step == "started":
                moments["process"] = moments[step] - event["elapsed"]
    return moments


def main() -> None:
    """Print the table, and write it and its numbers to benchmarks/results/."""
    with local_stack() as (_, variables):
        api = api_of(variables)
        measure(api)  # the functions' first calls are another matter
        rounds = [measure(api) for _ in range(ROUNDS)]
    medians = {step: statistics.median(each[step] for each in rounds) for step, _ in STEPS}
    lines = ["| after | seconds | step | share |", "| --- | --- | --- | --- |"]
    before = 0.0
    for step, what in sorted(STEPS, key=lambda each: medians[each[0]]):  # Batch may be faster than the answer
        took = medians[step] - before
        lines.append(f"| {what} | {medians[step]:.2f} | {took:.2f} | {took / medians['epoch']:.0%} |")
        before = medians[step]
    table = "\n".join(lines)
    print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "first_epoch.json").write_text(json.dumps({"seconds": medians, "rounds": rounds}, indent=1) + "\n")
    (RESULTS / "first_epoch.md").write_text(
        f"Median of {ROUNDS} runs, `python -m benchmarks.first_epoch`.\n\n{table}\n"
    )


if __name__ == "__main__":
    main()
