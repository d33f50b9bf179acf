"""The formats of tables, by the ends of their files' names."""

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from mlops_data.dataset import Dataset
from mlops_data.errors import DataError
from mlops_data.options import DataOptions

Read = Callable[[str, bytes, DataOptions], Dataset]

PARQUET = ".parquet"
DELIMITED = (".csv", ".tsv")
JSON_LINES = (".jsonl", ".ndjson")
PACKABLE = (*DELIMITED, *JSON_LINES)
PACKED = (".gz", ".zst")
TABLES = (*PACKABLE, PARQUET)
SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods")


def reader(name: str, path: str, others: Sequence[str] = ()) -> Read:
    """Return what reads a table.

    Args:
        name: The data set's name, for errors.
        path: The path of its file.
        others: Ends of the names of files that are read in another way, for errors.

    Raises:
        DataError: The file's name does not end as that of a table does.
    """
    file = PurePosixPath(path.lower())
    plain = file.with_suffix("") if file.suffix in PACKED else file
    if plain.suffix in SPREADSHEETS:
        raise DataError(f"{name}: spreadsheets are not read; save the sheet as CSV (UTF-8)")
    if plain.suffix not in TABLES or (plain != file and plain.suffix not in PACKABLE):
        *more, last = f"{', '.join(PACKABLE)} (also as .gz or .zst)", PARQUET, *others
        raise DataError(
            f"{name}: none of {', '.join(more)} and {last}, so its format is not known; save it as one of these"
        )
    from mlops_data import tables  # many modules, which runs on other data do not need

    if plain.suffix in DELIMITED:
        return tables.read
    return tables.read_json_lines if plain.suffix in JSON_LINES else tables.read_parquet
