"""`make bench`: every part in turn, each in a process of its own, so that none measures what another left behind.

python -m benchmarks [part …]
"""

import os
import subprocess
import sys

PARTS = {
    "demo": None,
    "first_epoch": None,
    "predict": None,
    "rows": None,
    "shadow": None,
    "catalogue": None,
    "tables": None,
    "proof": None,
    "explain": None,
    "sweeps": None,
    "scoring": None,
    "train": "MNIST_DIR",
    "drift": "MNIST_DIR",
    "columns": None,
    "rollouts": None,
    "challengers": None,
    "images": None,
}
"""Part → the variable without which it has nothing to measure."""


def main(wanted: list[str]) -> int:
    """Run the parts that are wanted, or all, and return the highest exit code."""
    codes = []
    for part in wanted or PARTS:
        variable = PARTS[part]
        if variable is not None and not os.environ.get(variable):
            print(f"{part} bench: skipped, because {variable} is not set")
            continue
        codes.append(subprocess.run([sys.executable, "-m", f"benchmarks.{part}"]).returncode)
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
