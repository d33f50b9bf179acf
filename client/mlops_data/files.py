"""Read tables from this machine: a file, a folder of Parquet files, or a frame of pandas."""

import io
import shutil
from pathlib import Path
from typing import Any

from mlops_data import formats, tables
from mlops_data.dataset import Dataset
from mlops_data.errors import DataError
from mlops_data.options import DataOptions

FRAME = "the frame"
"""What a frame is called in errors. It has no name of its own."""


def read_path(path: Path, options: DataOptions) -> Dataset:
    """Read a table from a file, or from the Parquet files of a folder.

    Raises:
        DataError: There is no such file, or it is not valid. Names the line, the column and the remedy.
    """
    name = str(path)
    if path.is_dir():
        return tables.read_parquet_files(name, lambda folder: _copied(path, folder), options)
    read = formats.reader(name, path.as_posix())
    return read(name, content_of(path), options)


def read_frame(frame: Any, options: DataOptions) -> Dataset:
    """Read a table from a pandas DataFrame, without its index.

    Raises:
        DataError: A column has values of several types, or as `read_path`.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        table = pyarrow.Table.from_pandas(frame, preserve_index=False)
        file = io.BytesIO()
        parquet.write_table(table, file)
    except (pyarrow.ArrowException, ValueError) as error:
        raise DataError(f"{FRAME} cannot be read: {error}; give each column values of one type") from error
    return tables.read_parquet(FRAME, file.getvalue(), options)


def content_of(path: Path) -> bytes:
    """Return the bytes of a file. Raises DataError if it cannot be read, or is too large."""
    try:
        formats.check_size(str(path), path.stat().st_size)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def _copied(source: Path, folder: Path) -> list[Path]:
    """Copy the Parquet files below `source`, because DuckDB may read in its own folder only."""
    copied, size = [], 0
    for name in formats.parquet_files(
        file.relative_to(source).as_posix() for file in source.rglob("*") if file.is_file()
    ):
        size += (source / name).stat().st_size
        formats.check_size(str(source), size)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, path)
        copied.append(path)
    if not copied:
        raise DataError(f"{source}: there are no files whose names end in {formats.PARQUET}; check the path")
    return copied
