"""Fetch the archive of a script from the artifact bucket, and unpack it."""

import hashlib
import io
import tarfile
from pathlib import Path

from mlops.domain.code_run import archive_key
from trainer.data import sources
from trainer.errors import ParameterError, TrainingError

MAX_UNPACKED_BYTES = 2 * 1024**3
MAX_FILES = 20_000


def fetch(bucket: str, digest: str, folder: Path) -> None:
    """Unpack the archive with this SHA-256 into an empty folder.

    Raises:
        TrainingError: The archive is damaged, or has more than the limits allow.
        DataError, Unreachable: It cannot be read.
    """
    content = sources.read(f"s3://{bucket}/{archive_key(digest)}")
    if hashlib.sha256(content).hexdigest() != digest:
        raise TrainingError("the archive of the code is damaged: its content does not have its hash; run it again")
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            _unpack(archive, folder)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise TrainingError(f"the archive of the code cannot be unpacked ({error}); run it again") from error


def path_in(folder: Path, name: str, what: str) -> Path:
    """Return the path of a file of the archive. Raises ParameterError if there is none."""
    path = folder / name
    if not path.is_file():
        raise ParameterError(
            f"the {what} {name!r} is not in the archive; files that git ignores are not packed, and paths are relative "
            "to the folder that is packed"
        )
    return path


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack within the limits. The filter `data` refuses what would write or point outside the folder."""
    size = 0
    for number, member in enumerate(archive):
        size += member.size
        if number >= MAX_FILES or size > MAX_UNPACKED_BYTES:
            raise TrainingError(
                f"the code has more than {MAX_FILES} files or {MAX_UNPACKED_BYTES >> 30} GiB; leave out what the "
                "script does not need"
            )
        archive.extract(member, folder, filter="data")
