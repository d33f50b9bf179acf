"""The memory that a table of numbers takes: in proportion to the file, and at most three times as much."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlops_contract
import mlops_data
import trainer

PACKAGES = os.pathsep.join(str(Path(package.__path__[0]).parent) for package in (mlops_contract, mlops_data, trainer))
MEBIBYTE = 1024 * 1024
SMALL, LARGE = 1, 100
"""Sizes of the files in MiB. The small one takes what any file takes: Python, numpy, DuckDB's buffers."""

# Random cells of one width, because a Parquet file takes repeated ones down to nothing. The reader gives up the file's
# bytes where it can, so the process must not hold them.
PROGRAM = """
import sys
import numpy as np
from mlops_data import tables
from trainer.process import peak_memory_mb

size, columns = int(sys.argv[1]), 10
row = b"0.00000," * columns + b"0\\n"
lines = np.tile(np.frombuffer(row, np.uint8), size // len(row)).reshape(-1, len(row))
generator = np.random.default_rng(1)
for cell in range(columns):
    lines[:, 8 * cell + 2 : 8 * cell + 7] = generator.integers(48, 58, (len(lines), 5), np.uint8)
lines[::2, -2] = 49
making = peak_memory_mb()
content = [b",".join(b"c%d" % column for column in range(columns)) + b",label\\n" + lines.tobytes()]
del lines
dataset = tables.read("set.csv", content.pop())
assert dataset.features == columns
print(making, peak_memory_mb())
"""


def peak(mebibytes: int) -> float:
    """Peak memory in MiB of a process that reads a file of this size."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(mebibytes * MEBIBYTE)],
        env={"PYTHONPATH": PACKAGES, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    making, reading = map(float, done.stdout.split())
    assert making < reading, "the peak is that of making the file"
    return reading


@pytest.mark.slow
def test_a_table_takes_at_most_three_times_the_file_beyond_what_any_file_takes():
    assert peak(LARGE) - peak(SMALL) <= 3 * (LARGE - SMALL)
