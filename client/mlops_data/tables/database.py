"""The database that reads tables: DuckDB, in the process and within a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_data.errors import DataError
from mlops_data.memory import memory_limit

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CELLS_PER_GROUP = 500_000
"""A row group is in memory while it is written."""
MAX_ROWS_PER_GROUP = 122_880
MEMORY_SHARE = 4
LEAST_MEMORY, MOST_MEMORY = 256 * 1024**2, 1024**3


@contextmanager
def database(name: str, folder: Path) -> "Iterator[DuckDBPyConnection]":
    """Open an empty DuckDB database that may use only `folder`, and loads no extensions.

    Errors of DuckDB become DataErrors about the data set `name`.
    """
    import duckdb

    memory = max(LEAST_MEMORY, min(MOST_MEMORY, memory_limit() // MEMORY_SHARE))
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "memory_limit": f"{memory}B",
            "temp_directory": str(folder / "spill"),
            "threads": 1,
        }
    )
    try:
        connection.execute(f"SET allowed_directories = [{quoted(str(folder))}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET enable_progress_bar = false")  # it would stand in the job's log
        connection.execute("SET TimeZone = 'UTC'")  # a time without an offset is in UTC
        yield connection
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"{name}: the table cannot be read ({reason}); check that the file is undamaged and has the format that "
            "its name says, and that the job has enough memory and disk"
        ) from error
    finally:
        connection.close()


def write_parquet(connection: "DuckDBPyConnection", select: str, columns: int, path: Path) -> None:
    """Write the rows of a SELECT with so many columns to a new Parquet file, in their order."""
    rows = min(MAX_ROWS_PER_GROUP, max(1, CELLS_PER_GROUP // columns))
    # The file is read a few times and then deleted: packing it takes longer than it saves.
    options = f"FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE {rows}"
    connection.execute(f"COPY ({select}) TO {quoted(str(path))} ({options})")


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
