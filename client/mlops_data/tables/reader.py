"""A data set from a table, in any of its formats."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mlops_contract import Contract
from mlops_data.dataset import Dataset, Split, digest_of
from mlops_data.errors import DataError
from mlops_data.options import DataOptions
from mlops_data.splitting import PARTS
from mlops_data.tables import delimited, dialect, json_lines, parquet, text
from mlops_data.tables.cells import Cells
from mlops_data.tables.coding import coded
from mlops_data.tables.database import database
from mlops_data.tables.inference import Inferred
from mlops_data.tables.partition import parts_of
from mlops_data.tables.selection import by_content, by_training_rows
from mlops_data.tables.summary import profile_of
from mlops_data.tables.target import TARGET_COLUMNS, read_target, target_position
from mlops_data.tables.values import Values
from mlops_data.tables.weights import read_weights

DEFAULTS = DataOptions()


def read(name: str, content: bytes, options: DataOptions = DEFAULTS) -> Dataset:
    """Read a data set from a delimited file (CSV, TSV), plain, gzip or zstd.

    Args:
        name: The data set's name, for errors.
        content: The file, whose first line has the names of the columns.
        options: What to predict, and how to read and split the rows.

    Raises:
        DataError: The file is not valid. Names the line, the column and the remedy.
    """
    with _folder(name) as folder, database(name, folder) as connection:
        rows = folder / "rows.csv"
        head = text.write_rows(name, content, rows)
        del content
        written = dialect.of_head(name, head, lambda: delimited.sniffed_delimiter(connection, rows))
        # A request may say how these are read, and a target can be a class.
        texts = {*options.named, *(column for column in written.columns if column.lower() in TARGET_COLUMNS)}
        cells = delimited.read_cells(connection, name, rows, head, written, texts)
        return _dataset(cells, options, _encoding(head.encoding))


def read_json_lines(name: str, content: bytes, options: DataOptions = DEFAULTS) -> Dataset:
    """Read a data set from JSON lines, plain, gzip or zstd: one object per line. Otherwise as `read`."""
    with _folder(name) as folder, database(name, folder) as connection:
        lines = folder / "rows.jsonl"
        encoding = text.write_lines(name, content, lines)
        del content
        return _dataset(json_lines.read_cells(connection, name, lines), options, _encoding(encoding))


def read_parquet(name: str, content: bytes, options: DataOptions = DEFAULTS) -> Dataset:
    """Read a data set from a Parquet file. Otherwise as `read`."""
    with _folder(name) as folder, database(name, folder) as connection:
        path = folder / "rows.parquet"
        path.write_bytes(content)
        del content
        return _dataset(parquet.read_cells(connection, name, folder, [path]), options, ())


def read_parquet_files(name: str, fetch: Callable[[Path], Sequence[Path]], options: DataOptions = DEFAULTS) -> Dataset:
    """Read a data set from Parquet files. Otherwise as `read`.

    Args:
        name: The data set's name, for errors.
        fetch: Writes the files into a folder, and returns their paths.
        options: What to predict, and how to read and split the rows.
    """
    with _folder(name) as folder, database(name, folder) as connection:
        return _dataset(parquet.read_cells(connection, name, folder, fetch(folder)), options, ())


def _dataset(cells: Cells, options: DataOptions, notes: tuple[str, ...]) -> Dataset:
    options.check_names(cells.name, cells.columns)
    position = target_position(cells, options.target)
    options.check_target(cells.name, cells.columns[position])
    if not cells.count:
        raise DataError(f"{cells.name}: no rows below the header; add rows")
    inferred = Inferred(cells)
    target = read_target(cells, inferred, position, options)
    if inferred.decimal_mark == ",":
        notes = ("commas are read as decimal marks", *notes)
    selection = by_content(cells, inferred, position, options)
    parts = parts_of(cells, inferred, target, options)
    weights = read_weights(cells, inferred, options.weight, parts)
    selection.notes[:0] = [*notes, *target.notes]
    values = Values(cells, selection.readings, parts)
    facts = values.facts()
    selection = by_training_rows(selection, facts, int((parts == PARTS["train"]).sum()))
    matrix = coded(cells.name, values, selection.readings, facts)
    contract = Contract(target.task, target.name, matrix.columns)
    forms = {reading.name: reading.form for reading in selection.readings if reading.form is not None}
    splits = {
        part: Split(
            matrix.inputs[part], target.values[parts == code], weights[parts == code] if weights is not None else None
        )
        for part, code in PARTS.items()
    }
    profile = profile_of(cells.name, selection, facts, matrix, target, parts)
    return Dataset(
        name=cells.name,
        train=splits["train"],
        validation=splits["validation"],
        held_out=splits["held_out"],
        labels=target.classes,
        image=None,
        # Not of the forms: the same values written in another way are the same data set.
        digest=digest_of(splits.values(), repr((target.classes, contract.to_document()))),
        notes=profile.notes,
        task=target.task,
        contract=replace(contract, forms=forms),
        feature_columns=matrix.features,
        profile=profile,
    )


def _encoding(encoding: str) -> tuple[str, ...]:
    return (f"the file is read as {encoding}",) if encoding != text.UTF8 else ()


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    try:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
    except OSError as error:
        place = tempfile.tempdir or "a folder for temporary files"
        raise DataError(
            f"{name}: cannot be unpacked in {place} ({error.strerror}); free some space there, or name "
            "another folder in TMPDIR"
        ) from error
