"""The objects of batch predictions in S3: inputs as they are now, plans, outputs, and signed addresses."""

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from mlops.aws.missing import is_missing
from mlops.aws.signed_addresses import Upload, signing_s3, upload
from mlops.domain.batch_prediction import CLAIM_FILE, SUCCESS_FILE
from mlops.domain.scoring_plan import InputFile, ScoringPlan, plan_key
from mlops_contract.table_files import HEAD_BYTES, is_hidden

PARALLEL_READS = 32
SIGNED_SECONDS = 3600
_MISSING = ("NoSuchKey", "404", "NoSuchBucket")
_DENIED = ("AccessDenied", "403", "AllAccessDisabled")
_THERE_ALREADY = ("PreconditionFailed", "ConditionalRequestConflict")


class NotReadable(Exception):
    """S3 refuses the request: there is no such bucket, or no right to it. The message says which."""


@dataclass(frozen=True)
class StoredFile:
    """An object in a listing. `key` is its whole key."""

    key: str
    size: int
    etag: str


class BatchPredictionFiles:
    """The objects of batch predictions. Their plans are in the bucket `ARTIFACT_BUCKET`."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self._s3 = signing_s3(max_pool_connections=PARALLEL_READS)

    @classmethod
    def from_environment(cls) -> "BatchPredictionFiles":
        return _of_bucket(os.environ["ARTIFACT_BUCKET"])

    def inputs(self, bucket: str, key: str, most: int) -> list[InputFile]:
        """Return a file, or the files below a key that ends in `/`, in order; at most one more than `most`.

        Files that Spark and others keep beside a table are left out, and so are objects that stand for folders.

        Raises:
            NotReadable: The bucket cannot be listed.
        """
        listing = self.listed(bucket, key)
        if key.endswith("/"):
            names = ((entry.key.removeprefix(key), entry) for entry in listing)
            found = (entry for name, entry in names if name and not name.endswith("/") and not is_hidden(name))
        else:
            found = (entry for entry in itertools.islice(listing, 1) if entry.key == key)
        files = (InputFile(bucket, entry.key, entry.size, entry.etag) for entry in found)
        return list(itertools.islice(files, most + 1))

    def pinned(self, files: list[InputFile], check_head: Callable[[InputFile, bytes], None]) -> list[InputFile]:
        """Return the files with their versions, after giving the first bytes of each to `check_head`.

        Raises:
            NotReadable: A file cannot be read. Or what `check_head` raises, of the first such file.
        """
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            return list(pool.map(lambda file: self._pinned(file, check_head), files))

    def _pinned(self, file: InputFile, check_head: Callable[[InputFile, bytes], None]) -> InputFile:
        span = {"Range": f"bytes=0-{HEAD_BYTES - 1}"} if file.size else {}
        try:
            answer = self._s3.get_object(Bucket=file.bucket, Key=file.key, IfMatch=file.etag, **span)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "PreconditionFailed":
                raise NotReadable(f"{file.address} was changed just now; try again when it is written") from error
            raise _explained(error, file.address) from error
        check_head(file, answer["Body"].read())
        version = answer.get("VersionId")
        return replace(file, version_id=None if version == "null" else version)

    def listed(self, bucket: str, prefix: str) -> Iterator[StoredFile]:
        """Yield the objects below a prefix. Raises NotReadable."""
        pages: Any = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        try:
            for page in pages:
                for entry in page.get("Contents", []):
                    yield StoredFile(entry["Key"], entry["Size"], entry["ETag"])
        except ClientError as error:
            raise _explained(error, f"s3://{bucket}/{prefix}") from error

    def is_empty(self, bucket: str, prefix: str) -> bool:
        """Return whether there is nothing below a prefix. Raises NotReadable."""
        return next(self.listed(bucket, prefix), None) is None

    def claim(self, bucket: str, prefix: str, batch_id: str) -> bool:
        """Take the folder of an output for a batch prediction; False if another one has it. Raises NotReadable."""
        try:
            self._s3.put_object(Bucket=bucket, Key=prefix + CLAIM_FILE, Body=batch_id.encode(), IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] in _THERE_ALREADY:
                return False
            raise _explained(error, f"s3://{bucket}/{prefix}") from error
        return True

    def release(self, bucket: str, prefix: str) -> None:
        """Give the folder back: nothing was started."""
        self._s3.delete_object(Bucket=bucket, Key=prefix + CLAIM_FILE)

    def write_plan(self, plan: ScoringPlan) -> None:
        """Write a plan."""
        self._s3.put_object(Bucket=self.bucket, Key=plan_key(plan.batch_id), Body=plan.to_json())

    def write_success(self, bucket: str, prefix: str, document: bytes) -> None:
        """Write the manifest that says that an output is whole."""
        self._s3.put_object(Bucket=bucket, Key=prefix + SUCCESS_FILE, Body=document, ContentType="application/json")

    def has(self, key: str, size: int) -> bool:
        """Return whether the artifact bucket has an object of this size."""
        try:
            return bool(self._s3.head_object(Bucket=self.bucket, Key=key)["ContentLength"] == size)
        except ClientError as error:
            if is_missing(self._s3, self.bucket, key, error):
                return False
            raise

    def upload(self, key: str, sha256: str, size: int) -> Upload:
        """Return where to put an object. S3 accepts only content with this hash and this size."""
        return upload(self._s3, self.bucket, key, sha256, size, SIGNED_SECONDS)

    def download_address(self, bucket: str, key: str) -> str:
        """Return an address that serves an object for `SIGNED_SECONDS`."""
        url: str = self._s3.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=SIGNED_SECONDS
        )
        return url


def _explained(error: ClientError, address: str) -> Exception:
    code = error.response["Error"]["Code"]
    if code == "NoSuchBucket":
        return NotReadable(f"the bucket of {address} does not exist")
    if code in _MISSING:
        return NotReadable(f"there is no {address}")
    if code in _DENIED:
        return NotReadable(f"the platform has no right to {address}; an operator can grant it")
    return error


@cache
def _of_bucket(bucket: str) -> BatchPredictionFiles:
    return BatchPredictionFiles(bucket)
