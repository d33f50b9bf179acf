"""Follow the serving manifests in S3, and keep the loaded models. While S3 is down, they continue to answer."""

import itertools
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from onnxruntime import InferenceSession

from mlops.domain.errors import DependencyUnavailable, NoModelInStage
from mlops.domain.manifest import MAX_MANIFEST_BYTES, Manifest, ManifestError, manifest_key
from mlops.domain.rollout.live import CANARY
from mlops.inference.answers import ModelAnswers
from mlops.inference.model import Model, ModelRefused, load, proved
from mlops_contract.onnx_file import ModelFile
from predict.feedback import AnswerKeeper
from predict.records import ModelLines
from predict.s3 import S3Missing, S3Object, S3TooLarge, S3Unavailable, Sink
from predict.signals import Signals

if TYPE_CHECKING:
    from predict.column_counts import ColumnCounter

MAX_MODEL_BYTES = 512 << 20
"""What the disk of an environment holds."""
MAX_MODELS = 8
"""Largest number of loaded models. The one that was compared with its manifest longest ago is dropped first."""
MAX_HELD_BYTES = 1 << 30
"""Largest sum of the files of loaded models: two of the largest. Others are dropped before the next one is loaded."""
CHECK_SECONDS = 1.0
"""Time limit of a manifest check while a model is loaded."""
FIRST_SECONDS = 2.0
"""Time limit of reading a manifest while no model is loaded."""
LOAD_SECONDS = 6.0
"""Time limit of loading a model's file, besides that of its bytes. The first request after a promotion waits for it."""
BYTES_PER_SECOND = 32 << 20
"""The slowest that a large file may come."""
FAILURE_SHARE = 10
"""After a check that failed in t seconds, the next one waits 2 t, then 4 t, up to this many times t. So a slow S3 takes
at most a tenth of the time, and one slow answer hardly delays a promotion."""
RETRY_REFUSED_SECONDS = 60.0
"""A refused model is tried again after this time, because its file may have been repaired."""
OUTAGE_SECONDS = 1.0
"""While no model is loaded and S3 is down, requests are refused at once for this time, and do not wait for S3."""

_SHOWN = {CANARY: "Production"}
"""A challenger answers in the place of Production, and its manifest says so."""


class Objects(Protocol):
    """The part of S3 that the cache uses."""

    def get(self, key: str, *, seconds: float, max_bytes: int, etag: str | None = None) -> S3Object | None: ...

    def fetch(self, key: str, sink: Sink, *, seconds: float, max_bytes: int) -> None: ...


@dataclass(frozen=True)
class ServedModel(Model):
    """A loaded model. `signals` is None if its inputs are not images, and `columns` if its file has no reference of
    columns."""

    answers: ModelAnswers = field(kw_only=True)
    lines: ModelLines = field(kw_only=True)
    keeper: AnswerKeeper = field(kw_only=True)
    signals: Signals | None = None
    columns: "ColumnCounter | None" = None
    serial: int = field(default_factory=itertools.count(1).__next__)
    """Unique in this process, also for the same file with another manifest."""

    @classmethod
    def of(cls, model: Model) -> "ServedModel":
        manifest, columns = model.manifest, None
        image = manifest.input.image if manifest.input is not None else None
        if manifest.contract is not None:
            from predict.column_counts import counter_of  # only for table models: other ones start without it

            columns = counter_of(manifest.contract, manifest.table_reference())
        signals = Signals(image) if image else None
        return cls(
            manifest,
            model.session,
            model.encoder,
            signals,
            columns,
            answers=ModelAnswers(manifest),
            lines=ModelLines(manifest),
            keeper=AnswerKeeper(manifest),
        )


@dataclass
class _Slot:
    """The state of one model in one stage. Times are from the cache's clock."""

    model: ServedModel
    etag: str  # ETag of the last manifest, whether its model was loaded or refused
    confirmed: float  # time at which S3 last confirmed the model
    due: float  # time of the next check
    refused: float | None = None  # time at which the last manifest was refused
    failures: int = 0  # failed checks since the last one that succeeded


class ModelCache:
    """Loaded models by name and stage. Each is compared with its manifest at most once in `refresh_seconds`.

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
            NoModelInStage: No version of this model is in the stage.
            DependencyUnavailable: No model is loaded, and S3 does not answer or the model was refused.
        """
        slot = self._slots.get((model_name, stage))
        if slot is None:
            slot = self._first(model_name, stage)
        now = self._clock()
        if now >= slot.due:
            self._refresh(slot, model_name, stage)
            now = self._clock()
        return slot.model, max(0.0, now - slot.confirmed)

    def drop(self, model_name: str, stage: str) -> None:
        """Forget a model that answers no more, so that its memory is free."""
        self._slots.pop((model_name, stage), None)

    def recheck(self) -> None:
        """Let the next request check the manifests: the environment was restored from a snapshot."""
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
        """Load the model if the manifest has changed. If this fails, the slot keeps its model, unless the stage is
        empty.

        Raises:
            NoModelInStage: The stage is empty now.
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
        # From the start of this check, so that the served version is at most one interval old.
        slot.due = began + self._refresh_seconds

    def _load(self, data: bytes, model_name: str, stage: str, held: ServedModel | None) -> ServedModel:
        """Load the manifest's model, unless another slot has loaded the same file.

        The session of `held` is reused only if the cache epoch is the same, too.

        Raises:
            ModelRefused: The manifest or its file cannot be served.
            S3Unavailable: S3 does not answer with the file.
        """
        began = self._clock()
        try:
            manifest = Manifest.from_json(data)
        except ManifestError as error:
            raise ModelRefused(str(error)) from error
        if (manifest.model_name, manifest.stage) != (model_name, _SHOWN.get(stage, stage)):
            raise ModelRefused(f"the manifest belongs to {manifest.model_name!r} in {manifest.stage!r}")
        session = self._session(manifest, held)
        if session is None and stage != CANARY:
            self.drop(model_name, CANARY)  # two models fit, not three; it is loaded again if its rollout goes on
        model = ServedModel.of(proved(manifest, session) if session else load(manifest, self._file(manifest)))
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

    def _session(self, manifest: Manifest, held: ServedModel | None) -> InferenceSession | None:
        """Return the session of the manifest's file if this environment has one."""
        if held is not None and held.manifest.sha256 == manifest.sha256:
            return held.session if held.manifest.cache_epoch == manifest.cache_epoch else None
        models = (slot.model for slot in self._slots.values())
        return next((model.session for model in models if model.manifest.sha256 == manifest.sha256), None)

    def _make_room(self, manifest: Manifest) -> None:
        """Drop what was compared longest ago until the model fits beside the others, and beside the one it replaces."""
        kept = (manifest.model_name, manifest.stage)
        while manifest.size + sum(slot.model.manifest.size for slot in self._slots.values()) > MAX_HELD_BYTES:
            oldest = next((place for place in self._slots if place != kept), None)
            if oldest is None:
                return
            del self._slots[oldest]

    def _file(self, manifest: Manifest) -> ModelFile:
        if not 0 < manifest.size <= MAX_MODEL_BYTES:
            raise ModelRefused(f"its size of {manifest.size} bytes is not within 1..{MAX_MODEL_BYTES}")
        self._make_room(manifest)
        file, seconds = ModelFile(), LOAD_SECONDS + manifest.size / BYTES_PER_SECOND
        try:
            self._objects.fetch(manifest.key, file, seconds=seconds, max_bytes=manifest.size)
        except S3Missing as error:
            raise ModelRefused("its file is missing") from error
        if (file.size, file.sha256) != (manifest.size, manifest.sha256):
            raise ModelRefused("its file does not have the manifest's size and hash")
        return file


def _store_down() -> DependencyUnavailable:
    return DependencyUnavailable("S3 does not answer, and no model is loaded yet; try again", retry_after=1)


def _not_loadable(model_name: str, stage: str) -> DependencyUnavailable:
    return DependencyUnavailable(
        f"The version of the model {model_name!r} in {stage} cannot be loaded; promote another version", retry_after=30
    )
