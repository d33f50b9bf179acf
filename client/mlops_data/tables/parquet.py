"""Read the cells of Parquet files. Folders such as `year=2025` in their paths (Hive partitions) are columns too."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_data.errors import DataError
from mlops_data.tables.cells import Cells, filled, trimmed
from mlops_data.tables.database import identifier, quoted, write_parquet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PARTITION = re.compile(r"([^/=]+)=[^/]*/")
PANDAS_INDEX = re.compile(r"__index_level_\d+__")
TEXT_TYPES = ("VARCHAR", "ENUM", "UUID")
OTHER_TYPES = ("STRUCT", "MAP", "UNION", "VARIANT", "BLOB", "BIT", "INTERVAL", "GEOMETRY")


def read_cells(connection: "DuckDBPyConnection", name: str, folder: Path, files: Sequence[Path]) -> Cells:
    """Read Parquet files below `folder` as one table, in the order of their paths.

    Raises:
        DataError: A column is nested or binary. Names it.
    """
    paths = sorted(files)
    partitions = {key for path in paths for key in PARTITION.findall(path.relative_to(folder).as_posix())}
    source = (
        f"read_parquet([{', '.join(quoted(str(path)) for path in paths)}], union_by_name = true, "
        f"hive_partitioning = {bool(partitions)}, hive_types_autocast = false)"
    )
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    columns = [(str(row[0]), str(row[1])) for row in described]
    for column, kind in columns:
        if kind.endswith("]") or kind.startswith(OTHER_TYPES):
            raise DataError(
                f"{name}: column {column!r}: the type {kind[:60]} is nested or binary, which is not supported; give "
                "each of its values a column of its own, or remove it"
            )
    parquet = folder / "cells.parquet"
    cells = (f"{_cell(column, kind)} AS c{index}" for index, (column, kind) in enumerate(columns))
    write_parquet(connection, f"SELECT {', '.join(cells)} FROM {source}", len(columns), parquet)
    return Cells(
        connection,
        name,
        parquet,
        ["" if PANDAS_INDEX.fullmatch(column) else column.strip() for column, _ in columns],
        header=name,
        locate=lambda row: f"row {row + 1}",
        texts=frozenset(
            index
            for index, (column, kind) in enumerate(columns)
            if kind.startswith(TEXT_TYPES) and column not in partitions
        ),
    )


def _cell(column: str, kind: str) -> str:
    """Return SQL for a cell's text. Only text can have blanks around it."""
    text = f"{identifier(column)}::VARCHAR"
    return trimmed(text) if kind.startswith(TEXT_TYPES) else filled(text)
