"""The files of a run, listed from the bucket, and addresses that serve them."""

import os
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from mlops.api.schemas.experiments import Artifact, ArtifactFile
from mlops.aws.signed_addresses import signing_s3

MAX_FILES = 1000
SIGNED_SECONDS = 3600


class Artifacts:
    """Lists the files of runs in the bucket `ARTIFACT_BUCKET`. Files stored elsewhere are left out."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = signing_s3()

    @classmethod
    def from_environment(cls) -> "Artifacts":
        return _of_bucket(os.environ["ARTIFACT_BUCKET"])

    def files(self, addresses: dict[str, str | None]) -> list[Artifact]:
        """Return the files below `s3://` addresses, at most 1,000 of each.

        Args:
            addresses: Each address by the prefix that its files' paths get.
        """
        return [Artifact(path=path, size=size) for path, size, _ in self._objects(addresses)]

    def signed(self, addresses: dict[str, str | None], path: str | None) -> list[ArtifactFile]:
        """Return the files that are at a path or below it, each with an address that holds for an hour.

        Args:
            addresses: As for `files`.
            path: Of a file or of a folder; None stands for all files.
        """
        wanted = None if path is None else path.strip("/")
        return [
            ArtifactFile(path=found, size=size, url=self._address(key))
            for found, size, key in self._objects(addresses)
            if wanted is None or found == wanted or found.startswith(f"{wanted}/")
        ]

    def _address(self, key: str) -> str:
        target = {"Bucket": self._bucket, "Key": key}
        url: str = self._s3.generate_presigned_url("get_object", Params=target, ExpiresIn=SIGNED_SECONDS)
        return url

    def _objects(self, addresses: dict[str, str | None]) -> Iterator[tuple[str, int, str]]:
        """Yield path, size and key of each file."""
        for prefix, uri in addresses.items():
            address = urlsplit(uri or "")
            if address.scheme != "s3" or address.netloc != self._bucket:
                continue
            folder = address.path.strip("/") + "/"
            answer: dict[str, Any] = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=folder, MaxKeys=MAX_FILES)
            for item in answer.get("Contents", []):
                yield prefix + item["Key"].removeprefix(folder), item["Size"], item["Key"]


@cache
def _of_bucket(bucket: str) -> Artifacts:
    return Artifacts(bucket)
