"""Choose the columns of a table that the model gets, and say why the others are left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlops_contract import ColumnType
from mlops_contract.columns import LARGEST_WHOLE
from mlops_data.errors import DataError
from mlops_data.options import DataOptions, GroupSplit
from mlops_data.profile import LeftOut
from mlops_data.tables.cells import PLACE, Cells
from mlops_data.tables.inference import Inferred, Reading
from mlops_data.tables.refusals import OTHERWISE
from mlops_data.tables.values import MIN_LEVEL_ROWS, Facts

ID_SHARE = 0.99
"""Text with so many different values, of all, names the row."""


@dataclass
class Selection:
    """The columns for the model, those that are left out, and sentences for users."""

    cells: Cells
    readings: list[Reading] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, position: int, reason: str) -> None:
        """Leave a column out, and say so."""
        self.left_out.append(LeftOut(self.cells.columns[position], reason))
        self.notes.append(f"{self.cells.shown(position)} is left out: {reason}")

    def check(self) -> None:
        """Raise DataError if no column is left."""
        if not self.readings:
            raise DataError(
                f"{self.cells.name}: no column is left to learn from: {'; '.join(self.notes)}; add columns, or set one "
                "to number or category (columns)"
            )


def by_content(cells: Cells, inferred: Inferred, target: int, options: DataOptions) -> Selection:
    """Choose columns by the request and by all of their cells: without ids, for example.

    Raises:
        DataError: Cells do not fit their column, or a column has no name. Names the line and the column.
    """
    selection = Selection(cells)
    for position, name in enumerate(cells.columns):
        if position == target:
            continue
        if reason := _use(name, options):
            selection.leave_out(position, reason)
            continue
        reading = inferred.reading(position, options.columns.get(name))
        reason = None if name in options.columns else _id_reason(selection, inferred, reading)
        if reason:
            selection.leave_out(position, reason)
            continue
        if reading.beyond:
            _refuse_beyond(cells, inferred, position)
        selection.readings.append(reading)
        if reading.note:
            selection.notes.append(reading.note)
    selection.check()
    return selection


def by_training_rows(selection: Selection, facts: Mapping[int, Facts], rows: int) -> Selection:
    """Leave out the columns in which the `rows` training rows show nothing. Raises DataError if none is left."""
    chosen = Selection(selection.cells, [], list(selection.left_out), list(selection.notes))
    for reading in selection.readings:
        found = facts[reading.position]
        if not found.filled:
            chosen.leave_out(reading.position, "it is empty")
        elif found.constant and found.filled == rows:
            chosen.leave_out(reading.position, "it has the same value in all training rows")
        elif reading.type is ColumnType.STRING and not found.levels:
            chosen.leave_out(reading.position, f"none of its values is in {MIN_LEVEL_ROWS} or more training rows")
        else:
            chosen.readings.append(reading)
    chosen.check()
    return chosen


def _use(name: str, options: DataOptions) -> str | None:
    """Return what a column is for, if it is not for the model."""
    if options.columns.get(name) == "ignore":
        return "the request says so"
    if name == options.weight:
        return "it has the rows' weights"
    if isinstance(options.held_out, GroupSplit) and name == options.held_out.column:
        return "it has the groups that are kept together"
    return None


def _id_reason(selection: Selection, inferred: Inferred, reading: Reading) -> str | None:
    """Return why a column only says which row it is. A row number shows a row's place in the file, which often depends
    on its class.

    Raises:
        DataError: The column has no name, and is neither empty nor an index.
    """
    cells, position = selection.cells, reading.position
    if reading.counts_rows:
        return "it counts the rows"
    if reading.name and reading.type not in (ColumnType.STRING, ColumnType.LONG):
        return None
    different, filled = inferred.distinct(position)
    if not filled:
        return "it is empty"
    is_unique = different >= ID_SHARE * filled
    if not reading.name:
        if is_unique and reading.type is ColumnType.LONG:
            return "it is an index, a different whole number in each row"
        raise DataError(f"{cells.header}: column {position + 1} has no name; give it one, or remove it")
    if is_unique and reading.type is ColumnType.STRING:
        return f"it is an id: {different:,} different texts in {filled:,} rows"
    if is_unique and reading.type is ColumnType.LONG:
        selection.notes.append(
            f"{cells.shown(position)} has a different whole number in nearly each row; if it is an id, set it to "
            "ignore (columns)"
        )
    return None


def _refuse_beyond(cells: Cells, inferred: Inferred, position: int) -> None:
    value = inferred.number(position)
    ((row, text),) = cells.query(
        f"{PLACE}, c{position}", [position], f"WHERE abs({value}) > {LARGEST_WHOLE} ORDER BY {PLACE} LIMIT 1"
    )
    raise DataError(
        f"{cells.place(row, position)}: {text} is beyond {LARGEST_WHOLE:,}, up to which float32 has all whole numbers; "
        f"if it is an id or a code, {OTHERWISE.removeprefix('or ')}; if it may be rounded to seven digits, set it to "
        "number"
    )
