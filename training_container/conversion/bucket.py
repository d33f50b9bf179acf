"""The objects that the job reads and writes."""

from pathlib import Path, PurePosixPath

import boto3


class TooLarge(Exception):
    """A version has more files than the job takes. The message says how many bytes, and the remedy."""


class Bucket:
    """The platform's bucket."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._s3 = boto3.client("s3")

    def fetch(self, prefix: str, folder: Path, most_bytes: int) -> None:
        """Copy the objects below a prefix into a folder.

        Raises:
            TooLarge: They have more than `most_bytes` together. Nothing was copied.
        """
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        entries = [entry for page in pages for entry in page.get("Contents", [])]
        total = sum(entry["Size"] for entry in entries)
        if total > most_bytes:
            raise TooLarge(
                f"the version's files have {total} bytes, and at most {most_bytes} are converted: log the model "
                "without what it does not need to predict"
            )
        folder.mkdir(parents=True)
        for entry in entries:
            name = PurePosixPath(entry["Key"].removeprefix(prefix))
            # An object may be called "../x". A folder's own entry has no name.
            if name.is_absolute() or ".." in name.parts or not name.parts or entry["Key"].endswith("/"):
                continue
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._s3.download_file(self._name, entry["Key"], str(path))

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        self._s3.put_object(Bucket=self._name, Key=key, Body=data)
