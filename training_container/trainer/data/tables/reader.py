"""A data set from a delimited file."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer import process
from trainer.data.dataset import Dataset, Rows, split_by_class
from trainer.data.tables import cells, dialect, text
from trainer.data.tables.cells import Cells
from trainer.data.tables.features import read_features
from trainer.data.tables.inference import infer
from trainer.data.tables.target import read_labels, target_column
from trainer.errors import DataError


def read(name: str, content: bytes) -> Dataset:
    """Read a data set from a delimited file, plain, gzip or zstd, and hold out a fifth of each class.

    Args:
        name: The data set's name, for errors.
        content: The file. The label's column is named label, target, class or y. All other columns are numbers.

    Raises:
        DataError: The file is not valid. Names the line, the column and the remedy.
    """
    with _no_room(name), tempfile.TemporaryDirectory(dir=process.temporary_folder()) as temporary:
        folder = Path(temporary)
        rows = folder / "rows.csv"
        head = text.write_rows(name, content, rows)
        del content
        with cells.database(name, folder) as connection:
            written = dialect.of_head(name, head, lambda: cells.sniffed_delimiter(connection, rows))
            target = target_column(name, written.columns, head.header_line)
            table = Cells(connection, name, rows, head, written)
            labels = read_labels(table, target)
            inferred = infer(table, [place for place in range(len(written.columns)) if place != target])
            inputs, notes = read_features(table, inferred)
    if head.encoding != text.UTF8:
        notes = (f"the file is read as {head.encoding}", *notes)
    if inferred.decimal_mark == ",":
        notes = ("commas are read as decimal marks", *notes)
    return split_by_class(name, Rows(inputs, labels), None, notes)


@contextmanager
def _no_room(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = process.temporary_folder()
        raise DataError(f"{name}: cannot be unpacked in {place} ({error.strerror}); free some space there") from error
