"""Follow the files of rollouts in S3, as manifests are followed. Without one, a request costs a look at the clock."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mlops.domain.errors import PlatformError
from mlops.domain.manifest_fields import ManifestError
from mlops.domain.rollout.live import CANARY, MAX_BYTES, LiveRollout, rollout_key
from predict.model_cache import CHECK_SECONDS, FAILURE_SHARE, MAX_MODELS, ModelCache, Objects, ServedModel
from predict.s3 import S3Missing, S3TooLarge, S3Unavailable


class Trial(NamedTuple):
    """A rollout under way, and its challenger; None if it cannot be loaded."""

    live: LiveRollout
    challenger: ServedModel | None


@dataclass
class _Known:
    """What is known of a model's rollout. `due` is from the clock; `etag` is that of the last file."""

    live: LiveRollout | None
    etag: str | None
    due: float
    challenger_due: float = float("-inf")
    """When a challenger that could not be loaded is tried again."""


class Rollouts:
    """The rollouts by model. Each file is read at most once in `refresh_seconds`.

    `report(event, **fields)` is called on files that are not valid. `clock` counts seconds; `now` is Unix time.
    """

    def __init__(
        self,
        objects: Objects,
        models: ModelCache,
        refresh_seconds: float,
        report: Callable[..., None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._objects, self._models, self._refresh_seconds = objects, models, refresh_seconds
        self._report, self._clock, self._now = report, clock, now
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def of(self, champion: ServedModel) -> Trial | None:
        """Return the rollout in which a model of Production is the champion, if there is one."""
        name = champion.manifest.model_name
        known = self._known.get(name)
        if known is None or self._clock() >= known.due:
            known = self._refresh(name, known)
        live = known.live
        if live is None:
            return None
        if self._now() >= live.until or live.champion != champion.manifest.model_version:
            return None
        return Trial(live, self._challenger(name, known, live))

    def recheck(self) -> None:
        """Let the next request read the files: the environment was restored from a snapshot."""
        self._known.clear()

    def _challenger(self, name: str, known: _Known, live: LiveRollout) -> ServedModel | None:
        if self._clock() < known.challenger_due:
            return None
        try:
            model, _ = self._models.current(name, CANARY)
        except PlatformError:  # reported by the cache; the champion answers
            known.challenger_due = self._clock() + self._refresh_seconds
            return None
        manifest = model.manifest
        return model if (manifest.model_version, manifest.sha256) == (live.version, live.sha256) else None

    def _refresh(self, name: str, before: _Known | None) -> _Known:
        began = self._clock()
        known = before or _Known(None, None, began)
        wait = self._refresh_seconds
        try:
            key = rollout_key(name)
            stored = self._objects.get(key, seconds=CHECK_SECONDS, max_bytes=MAX_BYTES, etag=known.etag)
            if stored is not None:
                known = _Known(self._read(name, stored.data), stored.etag, began)
        except S3Missing:
            known = _Known(None, None, began)
        except S3Unavailable:  # what is known is valid until its time
            wait = max(wait, FAILURE_SHARE * (self._clock() - began))
        except S3TooLarge as error:
            known = _Known(None, error.etag, began)
        if before is not None and before.live is not None and (known.live is None or known.live.id != before.live.id):
            self._models.drop(name, CANARY)
        known.due = began + wait
        self._known[name] = known
        self._known.move_to_end(name)
        while len(self._known) > MAX_MODELS:
            self._known.popitem(last=False)
        return known

    def _read(self, name: str, data: bytes) -> LiveRollout | None:
        try:
            return LiveRollout.from_json(data)
        except ManifestError as error:
            self._report("mlops.rollout_refused", model_name=name, reason=str(error))
            return None
