"""Read the labels of a table, as they are written, from the column with such a name."""

from collections.abc import Sequence

from trainer.data import labels
from trainer.data.dataset import MAX_CLASSES
from trainer.data.labels import Labels
from trainer.data.tables.cells import PLACE, Cells
from trainer.errors import DataError

LABEL_COLUMNS = ("label", "target", "class", "y")


def target_column(name: str, columns: Sequence[str], line: int) -> int:
    """Return the position of the column of labels.

    Args:
        name: The data set's name, for the error.
        columns: The names in the header.
        line: The line of the header.

    Raises:
        DataError: There is no such column, or more than one, or two columns have the same name.
    """
    for column in columns:
        if columns.count(column) > 1:
            shown = f"the column {column!r} is" if column else "a column without a name is"
            raise DataError(f"{name}: line {line}: {shown} twice in the header; rename or remove one of them")
    candidates = [position for position, column in enumerate(columns) if column.lower() in LABEL_COLUMNS]
    if not candidates:
        shown = ", ".join(column[:40] for column in columns[:8]) + (", …" if len(columns) > 8 else "")
        raise DataError(
            f"{name}: line {line}: no column named {', '.join(LABEL_COLUMNS)} in the header ({shown}); "
            "rename the column that is to be predicted to label"
        )
    if len(candidates) > 1:
        shown = " and ".join(repr(columns[position]) for position in candidates)
        raise DataError(
            f"{name}: line {line}: each of the columns {shown} can be the label; keep one, and rename or remove the "
            "others"
        )
    if len(columns) < 2:
        raise DataError(f"{name}: line {line}: there is only a label; add at least one column of numbers")
    return candidates[0]


def read_labels(cells: Cells, position: int) -> Labels:
    """Read the column of labels. Rows of empty cells at the end of the table are dropped.

    Raises:
        DataError: A label is missing or not valid, or the labels are a quantity.
    """
    _drop_empty_rows(cells, position)
    if not cells.count:
        raise DataError(f"{cells.name}: no rows below the header; add rows")
    text = cells.text(position)
    where = f"{cells.name}: column {cells.columns[position]!r}"
    ((different,),) = cells.query(f"count(DISTINCT {text})", cells.kept)
    texts = [row[0] for row in cells.query(f"DISTINCT {text}", f"{cells.kept} LIMIT {MAX_CLASSES + 1}")]
    labels.refuse_quantity(where, texts, different, "write them as text, for example 'class 7'")
    if different > MAX_CLASSES:
        raise DataError(
            f"{where}: {different} classes, and at most {MAX_CLASSES} are allowed; models that predict a quantity "
            "(regression) are not supported"
        )
    for label in texts:
        labels.check_text(where, label)
    return labels.from_text(texts, cells.codes(text, texts))


def _drop_empty_rows(cells: Cells, position: int) -> None:
    unlabelled = cells.query(PLACE, f"WHERE {cells.text(position)} = '' ORDER BY {PLACE}")
    if not unlabelled:
        return
    cells_of_row = ", ".join(cells.text(column) for column in range(len(cells.columns)))
    empty = cells.query(PLACE, f"WHERE concat({cells_of_row}) = '' ORDER BY {PLACE}")
    rows, empty_rows = [row for (row,) in unlabelled], {row for (row,) in empty}
    end = cells.count
    while end and end - 1 in empty_rows:
        end -= 1
    first = rows[0]
    if first < end:
        also = ", and so is the whole row" if first in empty_rows else ""
        raise DataError(f"{cells.place(first, position)}: the label is empty{also}; fill it in or remove the row")
    cells.drop_after(end)
