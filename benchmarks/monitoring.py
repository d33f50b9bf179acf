"""What monitoring costs a prediction: its one log line, with the signals in it, and nothing else.

Run: `python -m benchmarks.monitoring ROUNDS`. A process of its own, so that what is imported is what predict imports.
It prints one JSON object, which `benchmarks.predict` takes over.
"""

import contextlib
import itertools
import json
import os
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import environment, machine
from tests.support.serving import served

REQUESTS = 2000
IN_TURN = 50
WATCHED = ("socket.", "open", "os.", "subprocess.", "_thread.", "ctypes.")
"""Audit events (PEP 578) of whatever leaves the process or starts a thread."""
SYSTEM_CALLS = Path("/proc/self/io")

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


class Lines:
    """Standard output that counts what is written to it, and passes it on to nowhere."""

    def __init__(self) -> None:
        self._file = open(os.devnull, "w")  # noqa: SIM115
        self.writes = self.lines = self.characters = 0

    def write(self, text: str) -> None:
        self.writes += 1
        self.lines += text.count("\n")
        self.characters += len(text)
        self._file.write(text)

    def flush(self) -> None:
        self._file.flush()


def main(rounds: int) -> dict[str, Any]:
    """Raises AssertionError if a prediction does anything beside writing its line."""
    model = served(1)
    with environment.bucket(model) as bucket:
        # The look for another version, every some seconds, is no part of monitoring.
        environment.enter(bucket.variables() | {"MODEL_REFRESH_SECONDS": "86400"})
        real, sys.stdout = sys.stdout, Lines()  # type: ignore[assignment]
        try:
            from predict import app

            answer(app.handler, requests(0))
            counted = calls(app.handler)
            times = compared(app.handler, rounds)
        finally:
            sys.stdout = real
        return {"requests": REQUESTS * rounds, "per_prediction": counted, "us": times}


def calls(handler: Handler) -> dict[str, float]:
    """What a prediction does outside the handler's own arithmetic, counted over many."""
    events, seen = requests(1), Counter[str]()
    watching = [False]

    def watch(name: str, _: tuple[Any, ...]) -> None:
        if watching[0] and name.startswith(WATCHED):
            seen[name] += 1

    sys.addaudithook(watch)
    lines, threads, system_calls = Lines(), threading.active_count(), _system_calls()
    real, sys.stdout = sys.stdout, lines  # type: ignore[assignment]
    watching[0] = True
    answer(handler, events)
    watching[0] = False
    sys.stdout = real
    after = _system_calls()
    assert not seen, f"a prediction does more than write its line: {dict(seen)}"
    assert threading.active_count() == threads, "a prediction started a thread"
    assert not {"boto3", "botocore"} & sys.modules.keys(), "a prediction imports the AWS SDK"
    assert lines.writes == lines.lines == len(events), "a prediction writes more or less than one line"
    found = {"lines": lines.lines / len(events), "line_bytes": round(lines.characters / len(events))}
    for name, count in after.items():
        found[f"{name}_calls"] = round((count - system_calls[name]) / len(events), 2)
    return found


def compared(handler: Handler, rounds: int) -> dict[str, float]:
    """Medians of the handler with image and line, with the line alone, and without either, some requests in turn."""
    rows = []
    for number in range(rounds):
        times: dict[str, list[float]] = {name: [] for name in WAYS}
        events = requests(2 + number)
        for start, name in zip(range(0, REQUESTS, IN_TURN), itertools.cycle(WAYS), strict=False):
            with WAYS[name]():
                for event in events[start : start + IN_TURN]:
                    began = time.perf_counter()
                    handler(event, None)
                    times[name].append(time.perf_counter() - began)
        rows.append({name: statistics.median(values) * 1e6 for name, values in times.items()})
    return {name: round(statistics.median(row[name] for row in rows), 1) for name in WAYS}


def measuring(every: bool) -> contextlib.AbstractContextManager[Any]:
    """Every image is measured, or none."""
    from predict.sampling import Sampling

    return patch.object(Sampling, "takes", lambda *_: every)


@contextlib.contextmanager
def unmonitored() -> Iterator[None]:
    """The function as it would be without monitoring: no signals, no record, no line."""
    from predict import records

    with (
        measuring(False),
        patch.object(records.ModelLines, "of_classes", lambda *_: ""),
        patch.object(records, "prediction", lambda *_: None),
    ):
        yield


WAYS: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "measured": lambda: measuring(True),
    "line_alone": lambda: measuring(False),
    "without_monitoring": unmonitored,
}


def requests(seed: int) -> list[dict[str, Any]]:
    """Events that are all different, so that no answer is a kept one."""
    from benchmarks.direct import bodies, event

    return [event("/predict", body) for body in bodies(REQUESTS, seed=seed)]


def answer(handler: Handler, events: list[dict[str, Any]]) -> None:
    for each in events:
        assert handler(each, None)["statusCode"] == 200


def _system_calls() -> dict[str, int]:
    """Read and write calls of this process so far, where the system counts them (Linux)."""
    if not SYSTEM_CALLS.exists():
        return {}
    counts = dict(line.split(": ") for line in SYSTEM_CALLS.read_text().splitlines())
    return {"read": int(counts["syscr"]), "write": int(counts["syscw"])}


def table(result: dict[str, Any]) -> str:
    """Rows of predict.md."""
    us, each = result["us"], result["per_prediction"]
    rows = [
        ["the handler, its image measured: each of a quiet hour, some thousand of a busy one", us["measured"]],
        ["the handler, its image not measured", us["line_alone"]],
        ["the handler without signals and log line", us["without_monitoring"]],
    ]
    counted = f"{each['lines']:g} line of {each['line_bytes']} bytes on average"
    if "write_calls" in each:
        counted += f", {each['write_calls']:g} write and {each['read_calls']:g} read system calls"
    return (
        machine.table(["µs, p50", ""], rows)
        + f"\nA prediction makes {counted}; no socket, no file, no thread, no AWS SDK.\n"
    )


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
