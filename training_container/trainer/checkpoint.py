"""Where a run's state is kept between attempts: one object a job, written whole, replaced after each epoch.

The object names what it is a state of (parameters and data), so that a job id used for something else never resumes
from it, and its own SHA-256, so that a damaged one is not trusted.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from trainer.courier import insist
from trainer.log import say
from trainer.parameters import Identity

PREFIX = "checkpoints"


class Store(Protocol):
    """A place for one object."""

    address: str

    def get(self) -> bytes | None: ...

    def put(self, content: bytes) -> None: ...

    def delete(self) -> None: ...


class S3Store:
    def __init__(self, bucket: str, key: str) -> None:
        self.address = f"s3://{bucket}/{key}"
        self._place = {"Bucket": bucket, "Key": key}
        self._made: Any = None

    @property
    def _client(self) -> Any:
        if self._made is None:
            import boto3
            from botocore.config import Config

            # Our own retries stand around this; botocore's would only make the first of them late.
            config = Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=30)
            self._made = boto3.client("s3", config=config)
        return self._made

    def get(self) -> bytes | None:
        from botocore.exceptions import ClientError

        try:
            content: bytes = self._client.get_object(**self._place)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise
        return content

    def put(self, content: bytes) -> None:
        self._client.put_object(**self._place, Body=content)

    def delete(self) -> None:
        self._client.delete_object(**self._place)


class FolderStore:
    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._path = path

    def get(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    def put(self, content: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_bytes(content)
        beside.replace(self._path)

    def delete(self) -> None:
        self._path.unlink(missing_ok=True)


def store_of(identity: Identity, environment: Mapping[str, str] = os.environ) -> Store | None:
    """The job's place: in ARTIFACT_BUCKET, else in the folder CHECKPOINT_DIR. None for a run that is no job."""
    if identity.job_id is None:
        return None
    if bucket := environment.get("ARTIFACT_BUCKET"):
        return S3Store(bucket, f"{PREFIX}/{identity.job_id}/latest")
    if folder := environment.get("CHECKPOINT_DIR"):
        return FolderStore(Path(folder) / identity.job_id / "latest")
    return None


def fingerprint(parameters: Mapping[str, Any], dataset_digest: str) -> str:
    """What a state belongs to."""
    text = json.dumps({"parameters": dict(parameters), "dataset": dataset_digest}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def pack(state: bytes, belongs_to: str) -> bytes:
    header = {"fingerprint": belongs_to, "sha256": hashlib.sha256(state).hexdigest()}
    return json.dumps(header).encode() + b"\n" + state


def load(store: Store | None, belongs_to: str, patience: float) -> bytes | None:
    """The state an earlier attempt left, or None; one that is damaged or of another run is left aside, saying so.

    Raises:
        Unreachable: the store stayed away; starting anew would throw away what it holds.
    """
    content = insist(store.address, store.get, patience) if store else None
    if store is None or content is None:
        return None
    first, _, state = content.partition(b"\n")
    try:
        header = json.loads(first)
    except ValueError:
        header = {}
    if not isinstance(header, dict) or header.get("sha256") != hashlib.sha256(state).hexdigest():
        say("checkpoint.damaged", address=store.address)
        return None
    if header.get("fingerprint") != belongs_to:
        say("checkpoint.of_another_run", address=store.address)
        return None
    say("checkpoint.found", address=store.address, bytes=len(state))
    return state
