"""`make bench`: every part in turn, each in a process of its own, so that none measures what another left behind."""

import os
import subprocess
import sys

PARTS = {"first_epoch": None, "predict": None, "catalogue": None, "train": "MNIST_DIR", "drift": "MNIST_DIR"}
"""Part → the variable without which it has nothing to measure."""


def main() -> int:
    codes = []
    for part, variable in PARTS.items():
        if variable is not None and not os.environ.get(variable):
            print(f"{part} bench: skipped, because {variable} is not set")
            continue
        codes.append(subprocess.run([sys.executable, "-m", f"benchmarks.{part}"]).returncode)
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main())
