"""The model types that the trainer of this checkout has, published in the bucket for the function `training`."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.local.environment import child_environment
from infra.local.errors import LocalStackError
from infra.local.processes import write_atomically
from infra.local.settings import Settings

KEY = "platform/model-types.json"
_PACKAGES = ("training_container", "layers/core/python", "client")
_SECONDS = 120.0


def model_types(settings: Settings) -> bytes:
    """Return what `python -m trainer types` prints. It takes seconds, so it is kept until the sources change.

    Raises LocalStackError with the trainer's own reason.
    """
    kept = settings.home / "model-types.json"
    digest = _digest(settings.root)
    try:
        stored = json.loads(kept.read_text())
        if stored["sources"] == digest:
            return str(stored["printed"]).encode()
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing is kept, or something else
    printed = _print(settings)
    write_atomically(kept, json.dumps({"sources": digest, "printed": printed}))
    return printed.encode()


def publish(s3: Any, bucket: str, document: bytes) -> None:
    """Put the document into the bucket, unless it is there already."""
    try:
        if s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == document:
            return
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
    s3.put_object(Bucket=bucket, Key=KEY, Body=document, ContentType="application/json")


def _print(settings: Settings) -> str:
    packages = os.pathsep.join(str(settings.root / folder) for folder in _PACKAGES)
    command = [sys.executable, "-m", "trainer", "types"]
    environment = {**child_environment(), "PYTHONPATH": packages}
    try:
        done = subprocess.run(
            command, cwd=settings.root, env=environment, capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise LocalStackError(f"`python -m trainer types` has not ended after {_SECONDS:.0f} s") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it wrote nothing"])[-1]
        raise LocalStackError(f"the trainer does not list its model types: {reason}")
    return done.stdout


def _digest(root: Path) -> str:
    """Return a hash of what decides the answer: the sources, the interpreter, and the plug-ins that are installed."""
    digest = hashlib.sha256(sys.executable.encode())
    for path in _sources(root):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    for point in sorted(entry_points(group="mlops.model_types")):
        version = point.dist.version if point.dist else ""
        digest.update(f"{point.name}\0{point.value}\0{version}\0".encode())
    return digest.hexdigest()


def _sources(root: Path) -> Iterator[Path]:
    for folder in ("training_container/trainer", "layers/core/python"):
        yield from sorted((root / folder).rglob("*.py"))
