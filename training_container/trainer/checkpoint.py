"""Store a run's state between attempts: one object per job, which is replaced after each epoch.

The object has a fingerprint of the parameters, the data and the state's format, so that another run or a newer trainer
does not resume from it. It also has its SHA-256, so that a damaged one is not used.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from trainer.delivery import BackgroundSender, retry
from trainer.errors import TrainingError
from trainer.log import log_event
from trainer.parameters import Identity, ParameterValue

PREFIX = "checkpoints"
DELETE_SECONDS = 15.0
STATE_FORMAT = 2
"""The format of a model type's state (`models.fit`). Increase it with each change."""


class Store(Protocol):
    """A place for one object. Its methods raise the errors of the place."""

    address: str

    def get(self) -> bytes | None:
        """Return the object, or None if there is none."""

    def put(self, content: bytes) -> None:
        """Replace the object as a whole."""

    def delete(self) -> None:
        """Remove the object. Idempotent."""


class S3Store:
    """An object in S3."""

    def __init__(self, bucket: str, key: str) -> None:
        self.address = f"s3://{bucket}/{key}"
        self._place = {"Bucket": bucket, "Key": key}
        self._connected: Any = None

    @property
    def _client(self) -> Any:
        if self._connected is None:
            import boto3
            from botocore.config import Config

            # The caller retries; retries of botocore would only delay that.
            config = Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=30)
            self._connected = boto3.client("s3", config=config)
        return self._connected

    def get(self) -> bytes | None:
        from botocore.exceptions import ClientError

        from mlops.aws.missing import is_missing

        try:
            content: bytes = self._client.get_object(**self._place)["Body"].read()
        except ClientError as error:
            if is_missing(self._client, self._place["Bucket"], self._place["Key"], error):
                return None
            raise
        return content

    def put(self, content: bytes) -> None:
        self._client.put_object(**self._place, Body=content)

    def delete(self) -> None:
        self._client.delete_object(**self._place)


class FolderStore:
    """A file."""

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
    """Return the job's store, in ARTIFACT_BUCKET or else in CHECKPOINT_DIR. None for a run that is not a job."""
    if identity.job_id is None:
        return None
    if bucket := environment.get("ARTIFACT_BUCKET"):
        return S3Store(bucket, f"{PREFIX}/{identity.job_id}/latest")
    if folder := environment.get("CHECKPOINT_DIR"):
        return FolderStore(Path(folder) / identity.job_id / "latest")
    return None


def fingerprint(parameters: Mapping[str, ParameterValue], dataset_digest: str) -> str:
    """Return a hash of what a state belongs to."""
    run = {"format": STATE_FORMAT, "parameters": dict(parameters), "dataset": dataset_digest}
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()


def pack(state: bytes, belongs_to: str) -> bytes:
    """Return the object with `state` for the run with the fingerprint `belongs_to`."""
    header = {"fingerprint": belongs_to, "sha256": hashlib.sha256(state).hexdigest()}
    return json.dumps(header).encode() + b"\n" + state


def load(store: Store | None, belongs_to: str, max_wait: float) -> bytes | None:
    """Return the state of an earlier attempt, or None.

    A state that is damaged or belongs to another run is not used, and the log says so.

    Raises:
        Unreachable: The store did not answer for `max_wait` seconds. Starting again would lose its state.
    """
    content = retry(store.address, store.get, max_wait) if store else None
    if store is None or content is None:
        return None
    first, _, state = content.partition(b"\n")
    try:
        header = json.loads(first)
    except ValueError:
        header = {}
    if not isinstance(header, dict) or header.get("sha256") != hashlib.sha256(state).hexdigest():
        log_event("checkpoint.damaged", address=store.address)
        return None
    if header.get("fingerprint") != belongs_to:
        log_event("checkpoint.of_another_run", address=store.address)
        return None
    log_event("checkpoint.found", address=store.address, bytes=len(state))
    return state


class StateKeeper:
    """The run's checkpoint, which is read once and replaced after each epoch. Without a store nothing is kept."""

    def __init__(self, store: Store | None, max_wait: float) -> None:
        self.state: bytes | None = None
        self._store = store
        self._sender = BackgroundSender(store.address, max_wait) if store else None
        self._max_wait = max_wait
        self._belongs_to = ""

    @property
    def address(self) -> str | None:
        return self._store.address if self._store else None

    @property
    def resumed_from(self) -> str | None:
        """The address of the state from which the run has resumed, if it has."""
        return self.address if self.state else None

    def load(self, belongs_to: str) -> None:
        """Read the state of the run with this fingerprint. Raises Unreachable."""
        self._belongs_to = belongs_to
        self.state = load(self._store, belongs_to, self._max_wait)

    def keep(self, state: bytes) -> None:
        """Write a state in the background; if several wait, only the newest. Raises Unreachable."""
        if self._store and self._sender:
            store, content = self._store, pack(state, self._belongs_to)
            self._sender.send(lambda: store.put(content), latest="state")

    def forget(self) -> None:
        """Delete the state, which a completed run does not need. If this fails, the state expires later."""
        if self._store and self._sender:
            try:
                self._sender.send(self._store.delete, latest="state")
                self._sender.flush(within=DELETE_SECONDS)
            except TrainingError as error:
                log_event("checkpoint.left", address=self._store.address, reason=str(error))

    def flush(self, within: float) -> None:
        """Wait until the state is written, for at most `within` seconds. Raises Unreachable."""
        if self._sender:
            self._sender.flush(within)

    def close(self) -> None:
        if self._sender:
            self._sender.close()
