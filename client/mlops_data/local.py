"""Read tables from this machine: a file, a folder of Parquet files, or a frame of pandas."""

import io
from pathlib import Path
from typing import Any

from mlops_data import files, formats, tables
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
        # DuckDB may read in its own folder only.
        return tables.read_parquet_files(
            name,
            lambda folder: files.copied(
                name, files.names_below(path), lambda file: files.content_of(path / file), folder
            ),
            options,
        )
    read = formats.reader(name, path.as_posix())
    return read(name, files.content_of(path), options)


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
