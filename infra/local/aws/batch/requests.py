"""What the operations ask of a request: AWS's JSON, checked as AWS checks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")

Request = Mapping[str, Any]


class BatchError(Exception):
    """A request that is refused with a ClientException; the text is its message."""


def checked_name(request: Request, field: str) -> str:
    """Return the name in a field. Raises BatchError for one that AWS would refuse."""
    name = request.get(field)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BatchError(f"{field} must be 1 to 128 letters, digits, hyphens or underscores")
    return name


def refuse_unknown(request: Request, known: frozenset[str], *, within: str = "") -> None:
    """Raise BatchError for a field that would change on AWS what a job does, and that nothing reads here."""
    for name in request:
        if name not in known:
            raise BatchError(f"{within}{name} is not supported by the local AWS Batch: leave it out")


def refuse_reserved_variables(container: Request) -> None:
    """Raise BatchError for an environment variable whose name belongs to AWS Batch."""
    for pair in container.get("environment") or ():
        if pair.get("name", "").startswith("AWS_BATCH"):
            raise BatchError(f"Environment variable names must not start with AWS_BATCH: {pair['name']}")


def refuse(error: str | None) -> None:
    """Raise BatchError with the reason, if there is one."""
    if error is not None:
        raise BatchError(error)
