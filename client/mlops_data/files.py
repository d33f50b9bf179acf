"""The files of a table: how large they may be, and which of a folder belong to it."""

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from mlops_data.errors import DataError
from mlops_data.formats import PARQUET

MAX_BYTES = 2 * 1024**3


def check_size(name: str, size: int) -> None:
    """Raise DataError if a data set has too many bytes."""
    if size > MAX_BYTES:
        raise DataError(f"{name}: {size:,} bytes are more than the {MAX_BYTES:,} that a data set may have")


def content_of(path: Path) -> bytes:
    """Return the bytes of a file. Raises DataError if it cannot be read, or is too large."""
    try:
        check_size(str(path), path.stat().st_size)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def names_below(folder: Path) -> list[str]:
    """Return the paths of all files below a folder, from there."""
    return [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]


def copied(name: str, names: Iterable[str], content: Callable[[str], bytes], folder: Path) -> list[Path]:
    """Copy the Parquet files of a table into a folder, with their paths, and return their new paths in order.

    Spark and others keep files of their own beside them, which are left out: their names, or those of their folders,
    begin with `_` or `.`.

    Args:
        name: The data set's name, for errors.
        names: The paths of all files, from the table's own folder.
        content: Returns the bytes of a file.
        folder: An empty folder.

    Raises:
        DataError: None of the files is of the table, or they have too many bytes. Or as `content`.
    """
    paths, size = [], 0
    for file in sorted(names):
        steps = PurePosixPath(file).parts
        if not file.lower().endswith(PARQUET) or any(step.startswith(("_", ".")) for step in steps):
            continue
        data = content(file)
        size += len(data)
        check_size(name, size)
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        paths.append(path)
    if not paths:
        raise DataError(f"{name}: there are no files whose names end in {PARQUET}; check the address")
    return paths
