"""SQL that reads numbers from text."""

import numpy as np

from mlops_contract.cells import MISSING

LARGEST = float(np.finfo(np.float32).max)


def number(column: str, decimal_mark: str) -> str:
    """Return SQL for the number in a cell as DOUBLE; NULL if it is not a number."""
    if decimal_mark == ",":
        return f"TRY_CAST(translate({column}, '_.,', '??.') AS DOUBLE)"
    # DuckDB reads 1_000 as a number.
    return f"CASE WHEN contains({column}, '_') THEN NULL ELSE TRY_CAST({column} AS DOUBLE) END"


def within_float32(value: str) -> str:
    """Return SQL for whether a number is finite as float32, which the model takes."""
    return f"coalesce(abs({value}) <= {LARGEST!r}, false)"


def is_missing(column: str) -> str:
    """Return SQL for whether a cell of a column of numbers, booleans or datetimes has no value."""
    words = ", ".join(f"'{word}'" for word in MISSING)
    # Longer cells are most of them, and need not be compared with the words.
    return f"({column} = '' OR (strlen({column}) <= {max(map(len, MISSING))} AND lower({column}) IN ({words})))"


def is_whole(column: str, value: str, finite: str) -> str:
    """Return SQL for whether a number is written as a whole one: 7, not 7.0. `finite` says whether it is a number."""
    marks = " OR ".join(f"contains({column}, '{mark}')" for mark in ".,eE")
    return f"CASE WHEN {finite} AND {value} = trunc({value}) THEN NOT ({marks}) ELSE false END"
