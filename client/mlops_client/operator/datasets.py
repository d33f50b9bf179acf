"""Uploads of data sets into the platform's bucket."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from mlops_client.errors import BadInput
from mlops_client.operator import aws

FORMATS = (
    *(f"{plain}{packed}" for plain in (".csv", ".tsv", ".jsonl", ".ndjson") for packed in ("", ".gz", ".zst")),
    ".parquet",
    ".npz",
)


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def upload(stack: str, path: Path, name: str | None = None) -> str:
    """Put a data set into the platform's bucket, and return its s3:// address.

    The address has the hash of the content, so that the data set of a run never changes.

    Args:
        stack: The CloudFormation stack.
        path: The file.
        name: Makes the file the newest of the data set of this name. Then the address is that of the newest file, which
            a run looks up when it starts.

    Raises:
        BadInput: The file cannot be read, the trainer cannot read its format, or the name is not valid.
        MlopsError: AWS refused a request, or cannot be reached.
    """
    if not path.name.lower().endswith(FORMATS):
        raise BadInput(
            f"{path}: the format is not supported; use .csv, .tsv, .jsonl or .ndjson, also packed as .gz or .zst, "
            ".parquet or .npz"
        )
    if name is not None and not NAME.fullmatch(name):
        raise BadInput(
            f"the name {name!r} is not valid; use at most 100 letters, digits, '.', '_' or '-', a letter or digit first"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    bucket = aws.stack_outputs(stack)["ArtifactBucketName"]
    key = f"datasets/{hashlib.sha256(content).hexdigest()[:12]}/{path.name}"
    address = f"s3://{bucket}/{key}"
    with aws.translated_errors():
        s3 = aws.session().client("s3")
        s3.put_object(Bucket=bucket, Key=key, Body=content)
        if name is None:
            return address
        latest = f"datasets/{name}/latest"
        s3.put_object(Bucket=bucket, Key=latest, Body=address.encode(), ContentType="text/plain; charset=utf-8")
    return f"s3://{bucket}/{latest}"
