"""Read the bytes of a data set from a folder, an s3:// or an https:// address.

The address may come from a request, so it is limited: to a list of S3 buckets, to https (redirects to http are not
followed, because a task's credentials are served over http at a link-local address), and to a largest size.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from mlops_data import files
from mlops_data.errors import DataError
from trainer.errors import Unreachable
from trainer.log import log_event

LATEST = "latest"
"""Name of an object that holds the address of a data set's newest upload (`mlops upload --as`)."""
MAX_ADDRESS_BYTES = 2000
ATTEMPTS = 5
MAX_REDIRECTS = 5
RETRY_SECONDS = 0.5


def allowed_buckets() -> frozenset[str]:
    """Return the buckets that a request may read: those of DATASET_BUCKETS, and ARTIFACT_BUCKET."""
    names = [*os.environ.get("DATASET_BUCKETS", "").split(","), os.environ.get("ARTIFACT_BUCKET", "")]
    return frozenset(name.strip() for name in names if name.strip())


def read(address: str, *, trusted: bool = False) -> bytes:
    """Read a file.

    Args:
        address: An s3:// or https:// address, or a path if it is trusted.
        trusted: Whether the address is from an operator. Then a folder or any bucket is allowed.

    Raises:
        DataError: The file does not exist, is not allowed, or is too large.
        Unreachable: The service did not answer in all attempts.
    """
    scheme = urlsplit(address).scheme
    if scheme == "s3":
        return _read_s3(address, trusted)
    if scheme == "https":
        return _read_https(address)
    if scheme == "http":
        raise DataError(f"{address}: http is not allowed; use https:// or s3://")
    if not trusted:
        raise DataError(f"{address!r} is neither digits, mnist, nor an s3:// or https:// address")
    return files.content_of(Path(address))


def fetch_below(address: str, folder: Path, *, trusted: bool = False) -> list[Path]:
    """Copy the Parquet files below a prefix into a folder, with their paths below the prefix; return their new paths.

    Args:
        address: An s3:// prefix that ends in `/`, or a folder if it is trusted.
        folder: An empty folder.
        trusted: As for `read`.

    Raises:
        DataError: There are no such files, or too many bytes; or the address is not allowed.
        Unreachable: The service did not answer in all attempts.
    """
    scheme = urlsplit(address).scheme
    if scheme == "s3":
        names = _names_below_s3(address, trusted)
    elif scheme or not trusted:
        raise DataError(f"{address}: only an s3:// prefix can end in /; name one file, or use s3://")
    else:
        names = files.names_below(Path(address))
    return files.copied(address, names, lambda name: read(join(address, name), trusted=trusted), folder)


def resolved(address: str) -> str:
    """Return the address of the file itself. That of an object `latest` in S3 stands for the address in it.

    Raises:
        DataError: the object is not there, or holds no address in its own bucket.
        Unreachable: S3 did not answer in all attempts.
    """
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not address.startswith("s3://") or key.rpartition("/")[2] != LATEST:
        return address
    content = read(address)
    text = content.decode(errors="replace").strip() if len(content) <= MAX_ADDRESS_BYTES else ""
    # Its own bucket, which the request may read, and no other `latest`: so there is no circle.
    if not text.startswith(f"s3://{bucket}/") or text.endswith(f"/{LATEST}") or not text.isprintable():
        raise DataError(f"{address} does not hold the address of a file in {bucket!r}; upload one: mlops upload --as")
    return text


def path(address: str) -> str:
    """Return the path of an address. For S3 it includes `#` and `?`, which are part of the key."""
    scheme, _, rest = address.partition("://")
    return f"/{rest.partition('/')[2]}" if scheme == "s3" else urlsplit(address).path


def join(base: str, name: str) -> str:
    """Return the address of `name` below the folder or prefix `base`."""
    return f"{base.rstrip('/')}/{name}"


def _read_s3(address: str, trusted: bool) -> bytes:
    bucket, key = _bucket_and_key(address, trusted)
    with _s3(address) as client:
        answer = client.get_object(Bucket=bucket, Key=key)
        files.check_size(address, answer["ContentLength"])
        content: bytes = answer["Body"].read()
    return content


def _names_below_s3(address: str, trusted: bool) -> list[str]:
    """Return the keys below an S3 prefix, without the prefix."""
    bucket, prefix = _bucket_and_key(address, trusted)
    with _s3(address) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", ())]


def _bucket_and_key(address: str, trusted: bool) -> tuple[str, str]:
    bucket, key = urlsplit(address).netloc, path(address).lstrip("/")
    if not trusted and bucket not in allowed_buckets():
        raise DataError(
            f"{address}: data sets must not be read from the bucket {bucket!r}; upload the file to the platform's "
            "bucket, or add the bucket to the parameter DatasetBuckets"
        )
    return bucket, key


@contextmanager
def _s3(address: str) -> Iterator[Any]:
    """Open a client of S3. Its errors become ours."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield boto3.client("s3", config=Config(retries={"mode": "standard", "max_attempts": ATTEMPTS}))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("NoSuchKey", "404"):
            raise DataError(f"{address}: there is no such object") from error
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 500:
            raise DataError(f"{address}: S3 refused to read it ({code})") from error
        raise Unreachable(address, f"S3 answered {code}") from error
    except BotoCoreError as error:
        raise Unreachable(address, f"S3 does not answer ({type(error).__name__})") from error


def _read_https(address: str) -> bytes:
    import urllib3

    pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=10, read=60))
    target, reason = address, ""
    redirects = 0
    attempt = 0
    while attempt < ATTEMPTS:
        if attempt and reason:
            pause = RETRY_SECONDS * 2**attempt
            log_event("dataset.retry", address=address, reason=reason, seconds=pause)
            time.sleep(pause)
        try:
            answer = pool.request("GET", target, preload_content=False, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            attempt, reason = attempt + 1, f"does not answer ({type(error).__name__})"
            continue
        with answer:
            if location := answer.get_redirect_location():
                redirects += 1
                target = _redirected(address, target, str(location), redirects)
                continue
            if answer.status >= 500 or answer.status == 429:
                attempt, reason = attempt + 1, f"answered {answer.status}"
                continue
            if answer.status != 200:
                raise DataError(f"{address}: the server answered {answer.status}")
            files.check_size(address, int(answer.headers.get("Content-Length") or 0))
            try:
                content = answer.read(files.MAX_BYTES + 1, decode_content=False)
            except urllib3.exceptions.HTTPError as error:
                attempt, reason = attempt + 1, f"broke off ({type(error).__name__})"
                continue
            files.check_size(address, len(content))
            return content
    raise Unreachable(address, reason)


def _redirected(address: str, target: str, location: str, redirects: int) -> str:
    next_target = urljoin(target, location)
    if urlsplit(next_target).scheme != "https":
        raise DataError(f"{address}: redirects to {urlsplit(next_target).scheme}://, and only https is allowed")
    if redirects > MAX_REDIRECTS:
        raise DataError(f"{address}: more than {MAX_REDIRECTS} redirects")
    return next_target
