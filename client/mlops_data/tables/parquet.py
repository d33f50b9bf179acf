"""Read the cells of Parquet files. Folders such as `year=2025` in their paths (Hive partitions) are columns too."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_contract import ColumnType
from mlops_data.errors import DataError
from mlops_data.tables.cells import Cells, Typed, filled, trimmed
from mlops_data.tables.counts import COLUMNS_PER_QUERY
from mlops_data.tables.database import identifier, quoted, write_parquet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PARTITION = re.compile(r"([^/=]+)=[^/]*/")
PANDAS_INDEX = re.compile(r"__index_level_\d+__")
TEXT_TYPES = ("VARCHAR", "ENUM", "UUID")
VALUE_TYPES = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), ColumnType.LONG),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"), ColumnType.LONG),
    "DOUBLE": ColumnType.DOUBLE,
    **dict.fromkeys(("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"), ColumnType.DATETIME),
}
FOUR_DIGITS = "BETWEEN '0001-01-01' AND '9999-12-31'"
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
    typed = _typed(connection, source, columns)
    cells = (
        f"{identifier(column) if index in typed else _text(column, kind)} AS c{index}"
        for index, (column, kind) in enumerate(columns)
    )
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
        typed=typed,
    )


def _typed(connection: "DuckDBPyConnection", source: str, columns: Sequence[tuple[str, str]]) -> dict[int, Typed]:
    """Return the columns whose values are exactly those that their texts have; not so of FLOAT and DECIMAL.

    Times without an offset become TIMESTAMPTZ first, as text does: DuckDB rounds the fractions of their seconds in
    another way. They are typed if all have a year of four digits, as those that are read from text.
    """
    typed = {
        index: Typed(
            kind, (f"epoch(c{index}::TIMESTAMPTZ)::DOUBLE" if kind is ColumnType.DATETIME else f"c{index}::DOUBLE")
        )
        for index, (_, stored) in enumerate(columns)
        if (kind := VALUE_TYPES.get(stored))
    }
    times = [index for index, found in typed.items() if found.kind is ColumnType.DATETIME]
    for start in range(0, len(times), COLUMNS_PER_QUERY):
        part = times[start : start + COLUMNS_PER_QUERY]
        usual = (f"coalesce(bool_and({identifier(columns[index][0])} {FOUR_DIGITS}), true)" for index in part)
        ((*results,),) = connection.execute(f"SELECT {', '.join(usual)} FROM {source}").fetchall()
        for index, result in zip(part, results, strict=True):
            if not result:
                del typed[index]
    return typed


def _text(column: str, kind: str) -> str:
    """Return SQL for a cell's text. Only text can have blanks around it."""
    text = f"{identifier(column)}::VARCHAR"
    return trimmed(text) if kind.startswith(TEXT_TYPES) else filled(text)
