"""How long `make demo` takes after the packages are installed: from nothing, and again on the stack that it leaves.

python -m benchmarks.demo
"""

import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import machine
from infra.local.processes import free_ports
from infra.local.settings import ROOT

RUNS = ("first", "again")
MOST_SECONDS = {"first": 120, "again": 40}
"""The aim."""
SCENES = {"1.": "the platform starts", "2.": "digits: train, compare, promote, predict"} | {
    "5.": "a table: train three types, prove, compare, promote, predict",
    "8.": "a column breaks, and drift names it",
}
"""What begins with a heading of the demo, by the number of this heading."""


def play(environment: dict[str, str]) -> dict[str, float]:
    """Run the demo, and return the seconds of each scene and of all. Raises CalledProcessError: it has failed."""
    command = [sys.executable, "-u", "-m", "infra.local", "demo"]
    began = time.monotonic()
    moments: dict[str, float] = {}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if (heading := line.split(" ", 1)[0]) in SCENES:
                moments.setdefault(heading, time.monotonic())
    if demo.returncode != 0:
        raise subprocess.CalledProcessError(demo.returncode, command)
    ended = time.monotonic()
    scenes = {name: after - before for (name, before), (_, after) in pairwise([*moments.items(), ("", ended)])}
    return {SCENES[heading]: seconds for heading, seconds in scenes.items()} | {"all": ended - began}


def main() -> None:
    """Print the table, and write it and its numbers to benchmarks/results/."""
    where = machine.describe("rich")
    ports = zip(("MLOPS_API_PORT", "MLOPS_TRACKING_PORT", "MLOPS_AWS_PORT"), map(str, free_ports(3)), strict=True)
    with tempfile.TemporaryDirectory(prefix="mlops-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as a user of its own where we are root
        environment = {**os.environ, **dict(ports), "MLOPS_LOCAL_DIR": str(Path(folder) / "stack")}
        try:
            found = {run: play(environment) for run in RUNS}
        finally:
            subprocess.run([sys.executable, "-m", "infra.local", "reset"], cwd=ROOT, env=environment, check=True)
    rows: list[list[Any]] = [[scene, *(found[run][scene] for run in RUNS)] for scene in found["first"]]
    rows.append(["at most", *MOST_SECONDS.values()])
    table = machine.table(["", "first, s", "again, s"], rows)
    print(table)
    result = {"seconds": found, "machine": where}
    machine.write("demo", "How long the demo takes, after `make install`", result, table)


if __name__ == "__main__":
    main()
