"""Load a data set by its name or the address of a file."""

from collections.abc import Callable
from pathlib import Path

from mlops_contract import Task
from mlops_data import formats
from mlops_data.dataset import Dataset
from mlops_data.errors import DataError
from mlops_data.options import DataOptions
from trainer.data import digits, mnist, npz, sources

BUILT_IN: dict[str, Callable[[], Dataset]] = {"digits": digits.load, "mnist": mnist.load}
NPZ = ".npz"
DEFAULTS = DataOptions()


def load(name: str, options: DataOptions = DEFAULTS, *, trusted: bool = False) -> Dataset:
    """Load a data set.

    Args:
        name: digits, mnist, or the address of a file: .csv, .tsv, .jsonl or .ndjson, also packed as .gz or .zst,
            .parquet or .npz; of a prefix of Parquet files, which ends in `/`; or of the object `latest` that names one.
            The data set has the name of the file, so the run says which one it was.
        options: What to predict from a table, and how to read and split it.
        trusted: Whether the address is from an operator. Then paths and any bucket are allowed.

    Raises:
        DataError: It cannot be read, or nothing can be learned from it. Says where and why.
        Unreachable: The service that stores it does not answer.
    """
    if name in BUILT_IN:
        _check_no_options(name, options)
        return BUILT_IN[name]()
    name = sources.resolved(name)
    if name.endswith("/"):
        from mlops_data import tables

        def fetch(folder: Path) -> list[Path]:
            return sources.fetch_below(name, folder, trusted=trusted)

        return tables.read_parquet_files(name, fetch, options)
    path = sources.path(name)
    if path.lower().endswith(NPZ):
        _check_no_options(name, options)
        return npz.read(name, sources.read(name, trusted=trusted))
    read = formats.reader(name, path, (NPZ,))
    return read(name, sources.read(name, trusted=trusted), options)


def _check_no_options(name: str, options: DataOptions) -> None:
    """Raise DataError if the options are for a table, and the data set is none."""
    named = options.named
    if named:
        column, field = next(iter(named.items()))
        raise DataError(
            f"{name}: {field}: the data set has no named columns, so there is no {column!r}; remove {field}, or use a "
            "table: CSV, Parquet or JSON lines"
        )
    if options.held_out != DEFAULTS.held_out:
        raise DataError(f"{name}: held_out: only tables are split by a share; remove it")
    if options.task is Task.REGRESSION:
        raise DataError(f"{name}: task: regression needs a table with named columns; save CSV, Parquet or JSON lines")
