"""What the key of a request may ask, from the file of grants in S3: the role of the key, and its models.

A stack whose keys were made before there was such a file lets every key ask every model. Once it exists, a key that it
does not name is refused. API Gateway has checked the key's value already.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from mlops.domain.access import (
    ACCESS_KEY,
    MAX_ACCESS_BYTES,
    AccessError,
    Grant,
    grants_from_json,
    require_unexpired,
)
from mlops.domain.errors import DependencyUnavailable, Forbidden
from predict.model_cache import Objects
from predict.s3 import S3Missing, S3TooLarge, S3Unavailable

REFRESH_SECONDS = 60.0
"""As long as the other functions keep what they know of a key."""
UNKNOWN_SECONDS = 1.0
"""A key that is not in the file may be a new one. The file is read again for it, but not more often than this."""
READ_SECONDS = 1.0
"""Time limit of reading the file."""


class Access:
    """The grants, read again with a conditional GET. While S3 is down, the last ones hold."""

    def __init__(
        self, objects: Objects, report: Callable[..., None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._objects, self._report, self._clock = objects, report, clock
        self._grants: Mapping[str, Grant] | None = None
        self._etag: str | None = None
        self._read = self._due = float("-inf")
        self._known, self._outage_until = False, float("-inf")

    def grant(self, event: Mapping[str, Any]) -> Grant | None:
        """Return what the key of a request may do; None if the stack has no file of grants.

        Raises:
            Forbidden: The key is not in the file, or its role may not ask for predictions.
            SessionExpired: It is a personal key that has ended.
            DependencyUnavailable: The file was never read, and S3 does not answer.
        """
        now = self._clock()
        if not self._known and now < self._outage_until:
            raise _not_readable()
        if now >= self._due:
            self._refresh(now)
        if self._grants is None:
            return None
        key_id = (event["requestContext"].get("identity") or {}).get("apiKeyId") or ""
        grant = self._grants.get(key_id)
        if grant is None and now - self._read >= UNKNOWN_SECONDS:
            self._refresh(now)
            grant = self._grants.get(key_id) if self._grants is not None else None
        if grant is None:
            raise Forbidden("This API key has no role. Ask an operator for a key with the role predict")
        require_unexpired(grant.until, time.time())
        if not grant.has("predict"):
            raise Forbidden(
                f"This API key has the role {grant.role!r}, which may not ask for predictions; ask an operator for a "
                "key with the role predict"
            )
        return grant

    def warm_up(self) -> None:
        """Read the file while the environment starts or is restored, so that the first request does not wait for it."""
        with contextlib.suppress(DependencyUnavailable):
            self._refresh(self._clock())

    def recheck(self) -> None:
        """Let the next request read the file: the environment was restored from a snapshot."""
        self._due = self._outage_until = float("-inf")

    def _refresh(self, now: float) -> None:
        self._read = now
        try:
            stored = self._objects.get(ACCESS_KEY, seconds=READ_SECONDS, max_bytes=MAX_ACCESS_BYTES, etag=self._etag)
            if stored is not None:
                self._grants, self._etag = grants_from_json(stored.data), stored.etag
        except S3Missing:
            self._grants = self._etag = None
        except (S3Unavailable, S3TooLarge, AccessError) as error:
            self._report("mlops.access_unavailable", reason=str(error))
            if not self._known:
                self._outage_until = self._clock() + UNKNOWN_SECONDS
                raise _not_readable() from error
        self._known, self._due = True, now + REFRESH_SECONDS


def _not_readable() -> DependencyUnavailable:
    return DependencyUnavailable("What API keys may do cannot be read from S3; try again", retry_after=1)


def permit(grant: Grant | None, model_name: str) -> None:
    """Check that a key may ask a model. Raises Forbidden, which says for which models the key is."""
    if grant is not None and not grant.covers(model_name):
        raise Forbidden(
            f"This API key is for {', '.join(grant.models)}, and not for the model {model_name!r}; ask an operator for "
            "a key whose models include it"
        )
