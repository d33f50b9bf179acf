"""Load a data set by its name or the address of a file."""

from collections.abc import Callable
from pathlib import PurePosixPath

from trainer.data import digits, mnist, npz, sources, tables
from trainer.data.dataset import Dataset
from trainer.errors import DataError

BUILT_IN: dict[str, Callable[[], Dataset]] = {"digits": digits.load, "mnist": mnist.load}
FORMATS: dict[str, Callable[[str, bytes], Dataset]] = {".npz": npz.read, ".csv": tables.read, ".tsv": tables.read}
PACKED = (".gz", ".zst")
SPREADSHEETS = (".xlsx", ".xls", ".ods")


def load(name: str) -> Dataset:
    """Load a data set.

    Args:
        name: digits, mnist, or the address of a file (.csv or .tsv, also packed as .gz or .zst, or .npz), or of the
            object `latest` that names one. The data set has the name of the file, so the run says which one it was.

    Raises:
        DataError: It cannot be read, or nothing can be learned from it. Says where and why.
        Unreachable: The service that stores it does not answer.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]()
    name = sources.resolved(name)
    file = PurePosixPath(sources.path(name).lower())
    plain = file.with_suffix("") if file.suffix in PACKED else file
    read = FORMATS.get(plain.suffix)
    if read is None:
        hint = "; save the sheet as CSV (UTF-8)" if plain.suffix in SPREADSHEETS else ""
        raise DataError(f"{name}: none of .csv, .tsv (also as .gz or .zst) and .npz, so its format is not known{hint}")
    return read(name, sources.read(name))
