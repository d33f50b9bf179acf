"""Keep a folder between the attempts of a job: its files are in S3 below `code-checkpoints/<job>/`.

While the script runs, files that have changed are copied there, and once more when it has ended. A file that changes
while it is copied is left for the next time, so what is kept is never torn. When a job has completed, its files are
deleted.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainer.errors import Unreachable
from trainer.log import log_event

PREFIX = "code-checkpoints"
ATTEMPTS = 5
Signature = tuple[int, int]
"""Size and time of the last change of a file."""


class CheckpointFolder:
    """The folder of one job.

    Args:
        folder: The folder, which is made.
        bucket: The artifact bucket.
        job_id: The job.
    """

    def __init__(self, folder: Path, bucket: str, job_id: str) -> None:
        import boto3
        from botocore.config import Config

        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._bucket, self._prefix = folder, bucket, f"{PREFIX}/{job_id}/"
        self._s3: Any = boto3.client("s3", config=Config(retries={"mode": "standard", "max_attempts": ATTEMPTS}))
        self._kept: dict[str, Signature] = {}

    def restore(self) -> list[str]:
        """Copy what earlier attempts kept into the folder, and return the names of the files.

        Raises:
            Unreachable: S3 does not answer. Without its checkpoints the script would start anew.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        names = []
        try:
            for name in self._stored():
                path = self._folder / name
                if not path.resolve().is_relative_to(self._folder.resolve()):
                    continue  # not of a job of ours: a file's own name has no ..
                path.parent.mkdir(parents=True, exist_ok=True)
                self._s3.download_file(self._bucket, self._prefix + name, str(path))
                self._kept[name] = _signature(path)
                names.append(name)
        except (BotoCoreError, ClientError) as error:
            raise Unreachable(self.address, f"the checkpoints cannot be read ({error})") from error
        if names:
            log_event("checkpoints.restored", address=self.address, files=names[:20])
        return names

    def save(self) -> None:
        """Copy the files that have changed, and delete those that are gone. If it fails, the log says so."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._save()
        except (BotoCoreError, ClientError, Boto3Error, OSError) as error:
            log_event("checkpoints.not_saved", address=self.address, reason=str(error))

    def forget(self) -> None:
        """Delete all, which a completed job does not need. What is left expires later."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            for name in self._stored():
                self._s3.delete_object(Bucket=self._bucket, Key=self._prefix + name)
        except (BotoCoreError, ClientError) as error:
            log_event("checkpoints.left", address=self.address, reason=str(error))

    @property
    def address(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def _save(self) -> None:
        present = {path.relative_to(self._folder).as_posix(): path for path in self._files()}
        for name, path in present.items():
            before = _signature(path)
            if self._kept.get(name) == before:
                continue
            with tempfile.NamedTemporaryFile() as copy:
                shutil.copyfile(path, copy.name)
                if _signature(path) == before:
                    self._s3.upload_file(copy.name, self._bucket, self._prefix + name)
                    self._kept[name] = before
        # Last, so that an attempt that ends here leaves the older checkpoint beside the new one.
        for name in self._kept.keys() - present.keys():
            self._s3.delete_object(Bucket=self._bucket, Key=self._prefix + name)
            del self._kept[name]

    def _files(self) -> list[Path]:
        return sorted(path for path in self._folder.rglob("*") if path.is_file() and not path.is_symlink())

    def _stored(self) -> Iterator[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        for page in pages:
            for item in page.get("Contents", ()):
                yield item["Key"].removeprefix(self._prefix)


def _signature(path: Path) -> Signature:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
