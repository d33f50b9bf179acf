"""Follows the serving manifests in S3, and keeps the models that answer. While S3 is down, they go on answering."""

import hashlib
import itertools
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from mlops.domain.errors import DependencyUnavailable, NoModelInStage
from mlops.domain.manifest import MAX_MANIFEST_BYTES, Manifest, ManifestError, manifest_key
from mlops.inference.model import Model, ModelRefused, load, proved
from predict.s3 import S3Missing, S3Object, S3TooLarge, S3Unavailable
from predict.signals import Signals

MAX_MODEL_BYTES = 128 << 20
MAX_MODELS = 8
"""Models kept at a time. The one that was compared with its manifest longest ago is dropped first."""
CHECK_SECONDS = 1.0
"""Time limit of a manifest check while there is a loaded model to answer from."""
FIRST_SECONDS = 2.0
"""Time limit of reading a manifest while no model is loaded."""
LOAD_SECONDS = 6.0
"""Time limit of fetching a model; the first request after a promotion waits for it."""
FAILURE_SHARE = 10
"""After a check that failed in t seconds the next one waits 2 t, then 4 t, up to this many times t. So in the long run
a slow S3 costs a tenth of the time, and a single slow answer hardly delays a promotion."""
RETRY_REFUSED_SECONDS = 60.0
"""A refused model is tried again after this time, in case its file was repaired under the same manifest."""
OUTAGE_SECONDS = 1.0
"""While no model is loaded and S3 is down, requests are refused at once for this time. They do not each wait for S3."""


class Objects(Protocol):
    """What the cache asks of S3."""

    def get(self, key: str, *, seconds: float, max_bytes: int, etag: str | None = None) -> S3Object | None: ...


@dataclass(frozen=True)
class ServedModel(Model):
    """A model that answers now. `signals` is None if its inputs are not images."""

    signals: Signals | None = None
    serial: int = field(default_factory=itertools.count(1).__next__)
    """Tells this model from every other one of this process, the same file under another manifest included."""

    @classmethod
    def of(cls, model: Model) -> "ServedModel":
        image = model.manifest.input.image
        return cls(model.manifest, model.session, Signals(image) if image else None)


@dataclass
class _Slot:
    """One model in one stage, as this environment knows it. Times are the cache's clock."""

    model: ServedModel
    etag: str  # of the manifest seen last, whether its model was taken or refused
    confirmed: float  # when S3 last confirmed that the manifest names this model
    due: float  # when to ask S3 again
    refused: float | None = None  # when the manifest seen last was refused
    failures: int = 0  # checks that failed since the last one that did not


class ModelCache:
    """Loaded models by name and stage, each compared with its manifest at most once in `refresh_seconds`.

    `report(event, **fields)` is called on loads, refusals and outages. `clock` counts seconds.
    """

    def __init__(
        self,
        objects: Objects,
        refresh_seconds: float,
        report: Callable[..., None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._objects = objects
        self._refresh_seconds = refresh_seconds
        self._report = report
        self._clock = clock
        self._slots: OrderedDict[tuple[str, str], _Slot] = OrderedDict()
        self._refused: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._outage_until = float("-inf")

    def current(self, model_name: str, stage: str) -> tuple[ServedModel, float]:
        """Return the model that answers for `stage`, and its staleness: seconds since its manifest was last confirmed.

        Raises:
            NoModelInStage: no version of this model is in the stage.
            DependencyUnavailable: no model is loaded, and S3 does not answer or its model is refused.
        """
        slot = self._slots.get((model_name, stage))
        if slot is None:
            slot = self._first(model_name, stage)
        now = self._clock()
        if now >= slot.due:
            self._refresh(slot, model_name, stage)
            now = self._clock()
        return slot.model, max(0.0, now - slot.confirmed)

    def recheck(self) -> None:
        """Have the next request ask S3, whatever is known: the environment was restored from a snapshot."""
        self._outage_until = float("-inf")
        self._refused.clear()
        for slot in self._slots.values():
            slot.due = float("-inf")

    def _first(self, model_name: str, stage: str) -> _Slot:
        began = self._clock()
        if began < self._outage_until:
            raise _store_down()
        if began < self._refused.get((model_name, stage), began):
            raise _not_loadable(model_name, stage)
        try:
            stored = self._objects.get(
                manifest_key(model_name, stage), seconds=FIRST_SECONDS, max_bytes=MAX_MANIFEST_BYTES
            )
            assert stored is not None  # no etag was sent
            model = self._load(stored.data, model_name, stage, None)
        except S3Missing:
            raise NoModelInStage(model_name, stage) from None
        except S3Unavailable as error:
            now = self._clock()
            self._outage_until = now + max(OUTAGE_SECONDS, now - began)
            self._report("mlops.model_unavailable", model_name=model_name, stage=stage, reason=str(error))
            raise _store_down() from error
        except (ModelRefused, S3TooLarge) as error:
            self._refused[model_name, stage] = self._clock() + self._refresh_seconds
            while len(self._refused) > MAX_MODELS:
                self._refused.popitem(last=False)
            self._report("mlops.model_refused", model_name=model_name, stage=stage, reason=str(error))
            raise _not_loadable(model_name, stage) from error
        slot = self._slots[model_name, stage] = _Slot(model, stored.etag, began, began + self._refresh_seconds)
        while len(self._slots) > MAX_MODELS:
            self._slots.popitem(last=False)
        return slot

    def _refresh(self, slot: _Slot, model_name: str, stage: str) -> None:
        """Follow the manifest if it has changed. Unless the stage is empty now, the slot keeps a model that answers.

        Raises:
            NoModelInStage: the version was taken out of the stage and no other one put in.
        """
        began = self._clock()
        self._slots.move_to_end((model_name, stage))
        again = slot.refused is not None and began - slot.refused >= RETRY_REFUSED_SECONDS
        stored: S3Object | None = None
        try:
            stored = self._objects.get(
                manifest_key(model_name, stage),
                seconds=CHECK_SECONDS,
                max_bytes=MAX_MANIFEST_BYTES,
                etag=None if again else slot.etag,
            )
            if stored is not None:
                slot.model = self._load(stored.data, model_name, stage, slot.model)
                slot.etag = stored.etag
                slot.refused = None
            if slot.refused is None:
                slot.confirmed = began
        except S3Missing:
            del self._slots[model_name, stage]
            raise NoModelInStage(model_name, stage) from None
        except S3Unavailable as error:
            now = self._clock()
            slot.failures += 1
            factor = min(FAILURE_SHARE, 2 ** min(slot.failures, 10))
            slot.due = now + max(self._refresh_seconds, factor * (now - began))
            self._report("mlops.model_unavailable", model_name=model_name, stage=stage, reason=str(error))
            return
        except (ModelRefused, S3TooLarge) as error:
            slot.refused = self._clock()
            if stored is not None:
                slot.etag = stored.etag
            elif isinstance(error, S3TooLarge):
                slot.etag = error.etag
            self._report("mlops.model_refused", model_name=model_name, stage=stage, reason=str(error))
        slot.failures = 0
        # From the start of this check, so that what is served was the manifest's at most one interval ago.
        slot.due = began + self._refresh_seconds

    def _load(self, data: bytes, model_name: str, stage: str, held: ServedModel | None) -> ServedModel:
        """Load the manifest's model. The session of `held` is used again if the file and the cache epoch are the same.

        Raises:
            ModelRefused: the manifest or its file must not serve.
            S3Unavailable: S3 does not give the file now.
        """
        began = self._clock()
        try:
            manifest = Manifest.from_json(data)
        except ManifestError as error:
            raise ModelRefused(str(error)) from error
        if (manifest.model_name, manifest.stage) != (model_name, stage):
            raise ModelRefused(f"the manifest belongs to {manifest.model_name!r} in {manifest.stage!r}")
        if held is not None and (manifest.sha256, manifest.cache_epoch) == (
            held.manifest.sha256,
            held.manifest.cache_epoch,
        ):
            model = ServedModel.of(proved(manifest, held.session))
        else:
            model = ServedModel.of(load(manifest, self._file(manifest)))
        self._report(
            "mlops.model_loaded",
            model_name=model_name,
            stage=stage,
            model_version=manifest.model_version,
            sha256=manifest.sha256,
            transition_id=manifest.transition_id,
            seconds=round(self._clock() - began, 4),
        )
        return model

    def _file(self, manifest: Manifest) -> bytes:
        if not 0 < manifest.size <= MAX_MODEL_BYTES:
            raise ModelRefused(f"its size of {manifest.size} bytes is not within 1..{MAX_MODEL_BYTES}")
        try:
            file = self._objects.get(manifest.key, seconds=LOAD_SECONDS, max_bytes=manifest.size)
        except S3Missing as error:
            raise ModelRefused("its file is missing") from error
        assert file is not None  # no etag was sent
        if len(file.data) != manifest.size or hashlib.sha256(file.data).hexdigest() != manifest.sha256:
            raise ModelRefused("its file does not have the manifest's size and hash")
        return file.data


def _store_down() -> DependencyUnavailable:
    return DependencyUnavailable("S3 does not answer, and no model is loaded yet; try again", retry_after=1)


def _not_loadable(model_name: str, stage: str) -> DependencyUnavailable:
    return DependencyUnavailable(
        f"The version of the model {model_name!r} in {stage} cannot be loaded; promote another version", retry_after=30
    )
