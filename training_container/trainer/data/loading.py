"""A data set by its name: one of those that the platform knows, or the address of a file."""

from collections.abc import Callable
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from trainer.data import csv_table, digits, mnist, npz, sources
from trainer.data.dataset import Dataset
from trainer.errors import DataError

BUILT_IN: dict[str, Callable[[], Dataset]] = {"digits": digits.load, "mnist": mnist.load}
FORMATS: dict[str, Callable[[str, bytes], Dataset]] = {".npz": npz.read, ".csv": csv_table.read}


def load(name: str) -> Dataset:
    """Load a data set.

    Args:
        name: digits, mnist, or the address of an npz or CSV file.

    Raises:
        DataError: it cannot be read, or nothing can be learnt from it; says where and why.
        Unreachable: the service that holds it does not answer.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]()
    path = urlsplit(name).path
    read = FORMATS.get(PurePosixPath(path.removesuffix(".gz")).suffix.lower())
    if read is None:
        raise DataError(f"{name}: neither .npz nor .csv (or .csv.gz), so its format is not known")
    return read(name, sources.read(name))
