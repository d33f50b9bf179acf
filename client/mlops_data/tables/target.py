"""Read the column that is to be predicted: classes as they are written, or a quantity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlops_contract import ColumnType, Task
from mlops_data import labels
from mlops_data.dataset import FEWER_CLASSES, MAX_CLASSES, check_classes
from mlops_data.errors import DataError
from mlops_data.labels import MOST_NUMBERED_CLASSES, MOST_WHOLE_NUMBERS, Label
from mlops_data.options import DataOptions
from mlops_data.tables.cells import Cells
from mlops_data.tables.inference import Inferred
from mlops_data.tables.numbers import is_missing
from mlops_data.tables.refusals import refuse_misfit

TARGET_COLUMNS = ("label", "target", "class", "y")


@dataclass(frozen=True, eq=False)
class Target:
    """What each row of the table is to be predicted as.

    Attributes:
        position: The column.
        name: Its name.
        task: What is predicted.
        classes: The different labels in order; empty for regression.
        values: Indices of classes, int64 `[n]`, or quantities, float64 `[n]`; those of missing targets mean nothing.
        present: Which rows have a target, bool `[n]`.
        notes: Sentences for users.
    """

    position: int
    name: str
    task: Task
    classes: tuple[Label, ...]
    values: np.ndarray
    present: np.ndarray
    notes: tuple[str, ...]


def target_position(cells: Cells, target: str | None) -> int:
    """Return the position of the column to predict: `target`, or the only one with a usual name.

    Raises:
        DataError: There is no such column, or more than one, or no other column.
    """
    columns = cells.columns
    if target is not None:
        candidates = [columns.index(target)]
    else:
        candidates = [position for position, column in enumerate(columns) if column.lower() in TARGET_COLUMNS]
    if not candidates:
        shown = ", ".join(column[:40] for column in columns[:8]) + (", …" if len(columns) > 8 else "")
        raise DataError(
            f"{cells.header}: no column named {', '.join(TARGET_COLUMNS)} in the header ({shown}); "
            "rename the column that is to be predicted to label, or name it in target"
        )
    if len(candidates) > 1:
        shown = " and ".join(repr(columns[position]) for position in candidates)
        raise DataError(
            f"{cells.header}: each of the columns {shown} can be the label; name one in target and set the others to "
            "ignore (columns), or rename or remove the others"
        )
    if len(columns) < 2:
        raise DataError(f"{cells.header}: there is only a label; add at least one other column")
    return candidates[0]


def read_target(cells: Cells, inferred: Inferred, position: int, options: DataOptions) -> Target:
    """Read the target. Rows without one are counted in a note; rows without any value are not mentioned.

    Raises:
        DataError: No row has a target, one is not valid, or all are the same; or the task is not clear.
    """
    column = f"c{position}"
    where = f"{cells.name}: column {cells.columns[position]!r}"
    has_words = inferred.is_numeric(position) or inferred.is_boolean(position) or options.task is Task.REGRESSION
    missing = is_missing(column) if has_words else f"{column} = ''"
    texts = [
        text
        for (text,) in cells.query(f"DISTINCT {column}", [position], f"WHERE NOT {missing} LIMIT {MAX_CLASSES + 1}")
    ]
    if not texts:
        raise DataError(f"{where}: the label is missing in all rows; fill it in, or name another column in target")
    task = options.task or _task(cells, inferred, position, where, texts)
    if task is Task.CLASSIFICATION:
        classes, values, present = _classes(cells, position, where, texts)
    else:
        classes, values, present = _quantities(cells, inferred, position, where)
    notes = _notes(cells, position, missing, len(present) - int(present.sum()))
    return Target(position, cells.columns[position], task, classes, values, present, notes)


def _task(cells: Cells, inferred: Inferred, position: int, where: str, texts: Sequence[str]) -> Task:
    """Return what the target's values look like. Raises DataError if they can be both."""
    if not inferred.is_numeric(position):
        if inferred.is_mostly_numeric(position) and len(texts) > MOST_NUMBERED_CLASSES:
            refuse_misfit(cells, position, ColumnType.DOUBLE, f"({inferred.number(position)}) IS NULL")
        return Task.CLASSIFICATION
    value = inferred.number(position)
    ((fractions,),) = cells.query("count_if(v <> trunc(v))", [position], derived=f"{value} AS v")
    if fractions or len(texts) > MOST_WHOLE_NUMBERS:
        return Task.REGRESSION
    if len(texts) <= MOST_NUMBERED_CLASSES:
        return Task.CLASSIFICATION
    raise DataError(
        f"{where}: {len(texts)} different whole numbers can be classes or a quantity; set task to classification or "
        "regression"
    )


def _classes(
    cells: Cells, position: int, where: str, texts: Sequence[str]
) -> tuple[tuple[Label, ...], np.ndarray, np.ndarray]:
    if len(texts) > MAX_CLASSES:
        raise DataError(f"{where}: more than {MAX_CLASSES} classes, which is the limit; {FEWER_CLASSES}")
    for label in texts:
        labels.check_text(where, label)
    codes = cells.codes(position, texts)
    present = codes >= 0
    found = labels.from_text(texts, codes[present])
    check_classes(cells.name, found.classes)
    codes[present] = found.codes
    return found.classes, codes, present


def _quantities(
    cells: Cells, inferred: Inferred, position: int, where: str
) -> tuple[tuple[Label, ...], np.ndarray, np.ndarray]:
    value = inferred.number(position)
    values = cells.array(value, position, np.nan)
    present = ~np.isnan(values)
    if inferred.present(position) > present.sum():
        refuse_misfit(cells, position, ColumnType.DOUBLE, f"({value}) IS NULL")
    if values[present].min() == values[present].max():
        raise DataError(f"{where}: all rows have the value {values[present][0]:g}; add rows with another one")
    return (), values, present


def _notes(cells: Cells, position: int, missing: str, without: int) -> tuple[str, ...]:
    if not without:
        return ()
    positions = range(len(cells.columns))
    all_cells = ", ".join(f"c{column}" for column in positions)
    ((blank,),) = cells.query("count(*)", positions, f"WHERE {missing} AND concat({all_cells}) = ''")
    if without == blank:
        return ()
    rows = "1 row" if without - blank == 1 else f"{without - blank} rows"
    return (f"{rows} without a value in {cells.columns[position]!r}: left out",)
