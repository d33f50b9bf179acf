"""The files of a run, listed from the bucket, and addresses that serve them."""

import mimetypes
import os
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from mlops.api.schemas.experiments import Artifact, ArtifactContent, ArtifactFile
from mlops.aws.signed_addresses import signing_s3
from mlops.domain.errors import NotFound, ValidationFailed

MAX_FILES = 1000
SIGNED_SECONDS = 3600
MAX_CONTENT_BYTES = 2_000_000
"""In base64 it is a third more, and an answer of Lambda has at most 6 MB."""


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

    def content(self, addresses: dict[str, str | None], path: str) -> ArtifactContent:
        """Return a file of at most `MAX_CONTENT_BYTES`.

        Args:
            addresses: As for `files`.
            path: Of the file.

        Raises:
            NotFound: There is no such file.
            ValidationFailed: It is larger.
        """
        found = next(((size, key) for each, size, key in self._objects(addresses) if each == path), None)
        if found is None:
            raise NotFound(f"The run has no file {path!r}; GET /experiments/{{experiment}}/runs/{{run_id}} lists them")
        size, key = found
        if size > MAX_CONTENT_BYTES:
            raise ValidationFailed.of_field(
                "path",
                f"names a file of {size:,} bytes, and answers have at most {MAX_CONTENT_BYTES:,}; "
                "GET …/artifacts gives its address",
            )
        body: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        return ArtifactContent(path=path, size=len(body), media_type=kind, content=b64encode(body).decode())

    def _address(self, key: str) -> str:
        # Saved and not shown: a page among the files is not to run as one of the bucket's origin.
        target = {"Bucket": self._bucket, "Key": key, "ResponseContentDisposition": "attachment"}
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
