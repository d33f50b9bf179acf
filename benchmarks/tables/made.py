"""Seeded tables with what real ones have: numbers, text, flags and times, missing values, and a target with noise."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from mlops_contract import Task

TARGET = "target"
TIMES = ("signed_up", "last_seen")
LEVELS = {"plan": 4, "channel": 9, "region": 14, "product": 60, "postcode": 800}
"""Columns of text, and how many different values they have."""
_START = np.datetime64("2020-01-01T00:00:00", "s")
_FIVE_YEARS = 5 * 365 * 86_400


def table(task: Task, rows: int, seed: int = 7) -> pa.Table:
    """Return a table of 20 columns and the target, which depends on most of them and has noise."""
    random = np.random.default_rng(seed)
    columns: dict[str, pa.Array] = {}
    score = np.zeros(rows)
    for at in range(8):
        values = np.round(random.standard_normal(rows) * 10.0 ** (at % 4), 4)
        standard = values / 10.0 ** (at % 4)
        score += [standard, np.sin(2 * standard), standard**2 / 2, np.abs(standard)][at % 4] * (1 - at / 10)
        columns[f"amount_{at}"] = _with_gaps(random, values, 0.1 if at % 2 else 0.0)
    for at in range(3):
        counts = random.poisson(4 * (at + 1), rows)
        score += np.log1p(counts) / (at + 1)
        columns[f"visits_{at}"] = pa.array(counts, pa.int32())
    for name, levels in LEVELS.items():
        # The frequencies of text in the field fall off like this.
        shares = 1 / np.arange(1, levels + 1)
        codes = random.choice(levels, rows, p=shares / shares.sum())
        score += random.standard_normal(levels)[codes] * 0.7
        texts = pa.array([f"{name} {code}" for code in range(levels)])
        columns[name] = _with_gaps(random, texts.take(pa.array(codes)), 0.05)
    for name in ("newsletter", "mobile"):
        flags = random.random(rows) < 0.3
        score += 0.5 * flags
        columns[name] = _with_gaps(random, flags, 0.02)
    for name in TIMES:
        seconds = random.integers(0, _FIVE_YEARS, rows)
        score += np.cos(seconds % 86_400 / 86_400 * 2 * np.pi) * 0.5
        columns[name] = pa.array(_START + seconds.astype("m8[s]"), pa.timestamp("s"))
    score -= score.mean()
    columns[TARGET] = _TARGETS[task](random, score)
    return pa.table(columns)


def _with_gaps(random: np.random.Generator, values: np.ndarray | pa.Array, share: float) -> pa.Array:
    gaps = random.random(len(values)) < share
    return pc.if_else(pa.array(gaps), None, pa.array(values))


def _classes(random: np.random.Generator, score: np.ndarray) -> pa.Array:
    return pa.array(np.where(score + random.logistic(size=len(score)) > 0, "left", "stayed"))


def _quantities(random: np.random.Generator, score: np.ndarray) -> pa.Array:
    return pa.array(np.round(100 + 20 * (score + random.standard_normal(len(score))), 2))


_TARGETS: dict[Task, Callable[[np.random.Generator, np.ndarray], pa.Array]] = {
    Task.CLASSIFICATION: _classes,
    Task.REGRESSION: _quantities,
}


def write_csv(rows: pa.Table, path: Path) -> None:
    pa.csv.write_csv(rows, path)


def write_parquet(rows: pa.Table, path: Path) -> None:
    pa.parquet.write_table(rows, path)


def write_json_lines(rows: pa.Table, path: Path) -> None:
    """Write an object a line; a missing value is null."""
    rows.to_pandas().to_json(path, orient="records", lines=True, date_format="iso", date_unit="s")
