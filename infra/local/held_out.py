"""Rows of a data set that no run is trained on, as JSON: `python -m infra.local.held_out digits`.

A process of its own, because the trainer's packages are not those of the command line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from infra.local.environment import child_environment
from infra.local.errors import LocalStackError
from infra.local.settings import ROOT

_ROWS = 400
_SOURCES = (ROOT, ROOT / "training_container", ROOT / "layers/core/python", ROOT / "client")


def held_out(dataset: str) -> tuple[list[list[float]], list[int]]:
    """Pixels 0..1 and labels of the first held-out rows. Raises LocalStackError when the trainer cannot read them."""
    environment = {**child_environment(), "PYTHONPATH": os.pathsep.join(map(str, _SOURCES))}
    command = [sys.executable, "-m", "infra.local.held_out", dataset]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    if ran.returncode != 0:
        reason = (ran.stderr.strip().splitlines() or ["it wrote nothing"])[-1]
        raise LocalStackError(f"the data set {dataset} cannot be read: {reason}")
    answer = json.loads(ran.stdout)
    return answer["images"], answer["labels"]


def main() -> None:
    """Print the rows of the data set that the first argument names."""
    from trainer import data

    dataset = data.load(sys.argv[1])
    images = [[round(float(pixel), 4) for pixel in row] for row in dataset.held_out.inputs[:_ROWS]]
    labels = [int(dataset.labels[target]) for target in dataset.held_out.targets[:_ROWS]]
    print(json.dumps({"images": images, "labels": labels}))


if __name__ == "__main__":
    main()
