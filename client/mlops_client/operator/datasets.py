"""Uploads of data sets into the platform's bucket."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mlops_client.errors import BadInput
from mlops_client.operator import aws

FORMATS = (".csv", ".csv.gz", ".csv.zst", ".tsv", ".tsv.gz", ".tsv.zst", ".npz")


def upload(stack: str, path: Path) -> str:
    """Put a data set into the platform's bucket, and return its s3:// address.

    The address has the hash of the content, so that the data set of a run never changes.

    Raises:
        BadInput: The file cannot be read, or the trainer cannot read its format.
        MlopsError: AWS refused a request, or cannot be reached.
    """
    if not path.name.lower().endswith(FORMATS):
        raise BadInput(f"{path}: the format is not supported; use .csv or .tsv, also packed as .gz or .zst, or .npz")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    bucket = aws.stack_outputs(stack)["ArtifactBucketName"]
    key = f"datasets/{hashlib.sha256(content).hexdigest()[:12]}/{path.name}"
    with aws.translated_errors():
        aws.session().client("s3").put_object(Bucket=bucket, Key=key, Body=content)
    return f"s3://{bucket}/{key}"
