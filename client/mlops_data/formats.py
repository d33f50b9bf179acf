"""The formats of tables, by the ends of their files' names."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from mlops_data import tables
from mlops_data.dataset import Dataset
from mlops_data.errors import DataError
from mlops_data.options import DataOptions

Read = Callable[[str, bytes, DataOptions], Dataset]

READERS: dict[str, Read] = {
    ".csv": tables.read,
    ".tsv": tables.read,
    ".jsonl": tables.read_json_lines,
    ".ndjson": tables.read_json_lines,
    ".parquet": tables.read_parquet,
}
PARQUET = ".parquet"
PACKABLE = (".csv", ".tsv", ".jsonl", ".ndjson")
PACKED = (".gz", ".zst")
SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods")
MAX_BYTES = 2 * 1024**3


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
    if plain.suffix not in READERS or (plain != file and plain.suffix not in PACKABLE):
        *more, last = f"{', '.join(PACKABLE)} (also as .gz or .zst)", PARQUET, *others
        raise DataError(
            f"{name}: none of {', '.join(more)} and {last}, so its format is not known; save it as one of these"
        )
    return READERS[plain.suffix]


def parquet_files(names: Iterable[str]) -> list[str]:
    """Return those of the paths below a folder that belong to its table, in their order.

    Spark and others keep files of their own beside them: their names, or those of their folders, begin with `_` or `.`.
    """
    return [
        name
        for name in sorted(names)
        if name.lower().endswith(PARQUET) and not any(step.startswith(("_", ".")) for step in PurePosixPath(name).parts)
    ]


def check_size(name: str, size: int) -> None:
    """Raise DataError if a data set has too many bytes."""
    if size > MAX_BYTES:
        raise DataError(f"{name}: {size:,} bytes are more than the {MAX_BYTES:,} that a data set may have")
