"""Split the rows of a table into the parts for training, validation and measuring, as the request says."""

from datetime import UTC, datetime

import numpy as np

from mlops_contract import ColumnType, Task
from mlops_data import splitting
from mlops_data.errors import DataError
from mlops_data.options import HELD_OUT_SHARE, DataOptions, GroupSplit, TimeSplit
from mlops_data.splitting import HELD_OUT, LEAST_ROWS, PARTS, TRAIN
from mlops_data.tables.cells import Cells
from mlops_data.tables.inference import Inferred
from mlops_data.tables.target import Target

NO_PART = -1
"""The part of rows that are left out."""


def parts_of(cells: Cells, inferred: Inferred, target: Target, options: DataOptions) -> np.ndarray:
    """Return the part of each row of the table: int8 `[n]`, with NO_PART for rows without a target.

    Raises:
        DataError: The rows cannot be split so. Names the column or the class.
    """
    rows = np.flatnonzero(target.present)
    values = target.values[rows]
    split = options.held_out
    if isinstance(split, TimeSplit):
        of_rows = splitting.by_time(*_times(cells, inferred, split, options, rows))
    elif isinstance(split, GroupSplit):
        of_rows = splitting.by_group(_groups(cells, split, rows), HELD_OUT_SHARE)
    elif target.task is Task.CLASSIFICATION:
        _check_classes(cells.name, target, values)
        of_rows = splitting.by_class(values, len(target.classes), split)
    else:
        of_rows = splitting.by_share(len(rows), split)
    _check_parts(cells.name, of_rows)
    if target.task is Task.CLASSIFICATION:
        _check_trained(cells.name, target, values, of_rows)
    parts = np.full(cells.count, NO_PART, np.int8)
    parts[rows] = of_rows
    return parts


def _check_classes(name: str, target: Target, codes: np.ndarray) -> None:
    counts = np.bincount(codes, minlength=len(target.classes))
    for label, count in zip(target.classes, counts, strict=True):
        if count < LEAST_ROWS:
            raise DataError(
                f"{name}: the class {label!r} has {count} row{'s' if count > 1 else ''}, and needs {LEAST_ROWS}: one "
                "each to train, to validate and to measure; add rows, merge it with another class, or remove it"
            )


def _check_parts(name: str, parts: np.ndarray) -> None:
    for part, code in PARTS.items():
        if not (parts == code).any():
            raise DataError(f"{name}: the part {part} has no rows; add rows, or change held_out")


def _check_trained(name: str, target: Target, codes: np.ndarray, parts: np.ndarray) -> None:
    trained = np.zeros(len(target.classes), bool)
    trained[codes[parts == TRAIN]] = True
    for part, code in PARTS.items():
        unknown = np.unique(codes[parts == code])
        unknown = unknown[~trained[unknown]]
        if len(unknown):
            shown = "held-out" if code == HELD_OUT else part
            raise DataError(
                f"{name}: the label {target.classes[unknown[0]]!r} is in the {shown} rows, but not in the training "
                "rows; add rows with it, remove it, or change held_out"
            )


def _times(
    cells: Cells, inferred: Inferred, split: TimeSplit, options: DataOptions, rows: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the rows' times, float64 `[n]`, and the time from which on they are held out."""
    position = cells.columns.index(split.column)
    role = options.columns.get(split.column)
    reading = inferred.reading(position, None if role == "ignore" else role)
    if reading.type not in (ColumnType.DATETIME, ColumnType.LONG, ColumnType.DOUBLE):
        raise DataError(
            f"{cells.name}: held_out: the column {split.column!r} has neither dates nor numbers, so it cannot be split "
            "in time; name another column"
        )
    try:
        start = _seconds(split.start) if reading.type is ColumnType.DATETIME else float(split.start)
    except ValueError as error:
        wanted = "a date such as 2025-12-31" if reading.type is ColumnType.DATETIME else "a number"
        raise DataError(f"{cells.name}: held_out: the start {split.start!r} is not {wanted}") from error
    times = cells.array(reading.value, position, np.nan)[rows]
    missing = np.flatnonzero(np.isnan(times))
    if len(missing):
        raise DataError(
            f"{cells.place(int(rows[missing[0]]), position)}: the time is missing, so the row has no part; fill it in, "
            "or remove the row"
        )
    for side, found in (("before", (times < start).any()), ("from", (times >= start).any())):
        if not found:
            raise DataError(
                f"{cells.name}: held_out: no row is {side} {split.start} in the column {split.column!r}; change it"
            )
    return times, start


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _groups(cells: Cells, split: GroupSplit, rows: np.ndarray) -> np.ndarray:
    """Return the rows' groups, int64 `[n]`, numbered as they first appear."""
    position = cells.columns.index(split.column)
    missing = np.flatnonzero(cells.codes(position, [""])[rows] == 0)
    if len(missing):
        raise DataError(
            f"{cells.place(int(rows[missing[0]]), position)}: the group is missing, so the row has no part; fill it "
            "in, or remove the row"
        )
    firsts, groups = np.unique(cells.first_rows(position)[rows], return_inverse=True)
    if len(firsts) < LEAST_ROWS:
        raise DataError(
            f"{cells.name}: held_out: the column {split.column!r} has {len(firsts)} "
            f"group{'s' if len(firsts) > 1 else ''}, and needs {LEAST_ROWS}: one each to train, to validate and to "
            "measure; name another column, or hold out a share of the rows"
        )
    return groups.astype(np.int64)
