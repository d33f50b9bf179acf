"""A run from start to end, and what becomes of it: completed, failed with a reason, or interrupted and kept."""

import os
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from trainer import checkpoint, data, models
from trainer.courier import Courier
from trainer.data import Dataset
from trainer.errors import Interrupted, TrainingError
from trainer.log import say
from trainer.models import Trained
from trainer.parameters import Identity, Parameters
from trainer.provenance import provenance
from trainer.record import JobRecord
from trainer.stop import Stop
from trainer.track import Run, version_tags

PATIENCE_SECONDS = 300.0
"""How long a service may be away. The variable DELIVERY_PATIENCE_SECONDS changes it."""
LAST_WORDS_SECONDS = 15.0
"""How long the reason of a failure, or the state of an interrupted run, is tried to be delivered."""


@dataclass(frozen=True)
class Outcome:
    """What a completed run leaves."""

    run_id: str
    metrics: dict[str, float]
    sha256: str
    dataset_digest: str
    model_version: int | None


def run(parameters: Parameters, identity: Identity, stop: Stop) -> Outcome:
    """Train, measure, export, log and register.

    Raises:
        TrainingError: with the reason, which is in the job's record and the MLflow run too, as far as they answer.
        Interrupted: `stop` was asked for; the state is kept.
    """
    job = _Job(parameters, identity, stop)
    try:
        return job.run()
    finally:
        job.close()


def register(parameters: Parameters, outcome: Outcome) -> int | None:
    """Register the model of a run that was not to register its own; returns the version. Raises TrainingError."""
    tracked = Run(parameters, Identity(), _patience())
    tracked.adopt(outcome.run_id)
    tracked.register(parameters.model_name, version_tags(outcome.sha256, outcome.dataset_digest, None))
    tracked.flush()
    tracked.close()
    return tracked.model_version


def _patience() -> float:
    return float(os.environ.get("DELIVERY_PATIENCE_SECONDS") or PATIENCE_SECONDS)


class _Job:
    """The run's connections to the outside, and the session that a model type trains in (`models.Session`)."""

    def __init__(self, parameters: Parameters, identity: Identity, stop: Stop) -> None:
        self._parameters = parameters
        self._stop = stop
        self._patience = _patience()
        self._store = checkpoint.store_of(identity)
        self._keeper = Courier(self._store.address, self._patience) if self._store else None
        self._record = JobRecord(identity, self._patience)
        self._tracked = Run(parameters, identity, self._patience)
        self._identity = identity
        self._state: bytes | None = None
        self._belongs_to = ""
        self._epochs = parameters.epochs
        self._epoch_metrics: dict[str, float] = {}
        self._began = False

    def run(self) -> Outcome:
        say("trainer.started", job_id=self._identity.job_id, attempt=self._identity.attempt, **self._asked())
        try:
            return self._run()
        except Interrupted:
            self._give_way()
            raise
        except TrainingError as error:
            self._fail(str(error))
            raise
        except Exception as error:
            # A defect, not a reason for people: the log has all of it, the record its kind and place.
            say("trainer.defect", traceback=traceback.format_exc())
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(last.filename).name}:{last.lineno}"
            self._fail(f"internal error: {type(error).__name__} in {place}; see the job's log")
            raise

    def close(self) -> None:
        """Let the couriers end."""
        self._tracked.close()
        self._record.close()
        if self._keeper:
            self._keeper.close()

    def _run(self) -> Outcome:
        dataset = data.load(self._parameters.dataset)
        say("data.loaded", dataset=dataset.name, train=len(dataset.train), held_out=len(dataset.held_out))
        self._check_stop()
        model_type = models.find(self._parameters.model_type)
        say("imports.done")
        self._belongs_to = checkpoint.fingerprint(self._parameters.hyperparameters(), dataset.digest)
        self._state = checkpoint.load(self._store, self._belongs_to, self._patience)
        self._check_stop()
        trained = model_type.train(dataset, self._parameters, self)
        self._check_stop()
        self._tracked.data(dataset)
        return self._conclude(trained, dataset)

    def _conclude(self, trained: Trained, dataset: Dataset) -> Outcome:
        from trainer.evaluate import evaluate
        from trainer.export import export

        exported = export(trained, dataset)
        # The figures are of the file that will serve, not of the model it was made from.
        evaluation = evaluate(exported.probabilities, dataset.held_out.targets, dataset.labels)
        metrics = evaluation.metrics()
        say("model.exported", sha256=exported.sha256, bytes=len(exported.content), **metrics)
        self._check_stop()

        from trainer import report

        tags = {"mlops.sha256": exported.sha256, "mlops.dataset_digest": dataset.digest}
        figures = {
            **metrics,
            **evaluation.class_metrics(),
            "model_size_bytes": float(len(exported.content)),
            "prediction_latency_ms": exported.latency_ms,
            "onnx_difference": exported.worst_difference,
            "peak_memory_mb": _peak_memory_mb(),
        }
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            report.write(folder, self._parameters, dataset, evaluation, exported, provenance())
            self._tracked.results(figures, tags, folder)
            self._tracked.model(exported.content, dataset, {"sha256": exported.sha256, "dataset": dataset.name})
            if self._parameters.register_model:
                version = version_tags(exported.sha256, dataset.digest, self._identity.job_id)
                self._tracked.register(self._parameters.model_name, version)
            self._tracked.end("FINISHED")
            self._tracked.flush()
        self._record.completed(metrics, self._tracked.model_version)
        self._record.flush()
        self._forget_state()
        outcome = Outcome(
            self._tracked.run_id or "", metrics, exported.sha256, dataset.digest, self._tracked.model_version
        )
        say("trainer.completed", run_id=outcome.run_id, model_version=outcome.model_version, sha256=outcome.sha256)
        return outcome

    # The session of the model type

    def resume(self) -> bytes | None:
        return self._state

    def stopping(self) -> bool:
        return self._stop.asked()

    def begins(self, epochs: int) -> None:
        self._epochs = epochs
        self._begin()

    def epoch_done(self, epoch: int, metrics: Mapping[str, float], state: Callable[[], bytes] | None) -> None:
        self._epoch_metrics = dict(metrics)
        say("epoch.done", epoch=epoch, epochs=self._epochs, **metrics)
        if state is not None:
            self._keep(state())
        self._tracked.epoch(epoch, metrics)
        self._record.progressed(epoch, metrics)

    def interrupted(self, state: bytes | None) -> NoReturn:
        if state is not None:
            self._keep(state)
        raise Interrupted

    # Beginnings and ends

    def _asked(self) -> dict[str, Any]:
        return self._parameters.hyperparameters()

    def _begin(self) -> None:
        if not self._began:
            self._began = True
            params, epochs = self._asked(), self._epochs
            self._tracked.begin(params, provenance(), lambda run_id: self._record.started(run_id, params, epochs))

    def _check_stop(self) -> None:
        if self._stop.asked():
            raise Interrupted

    def _keep(self, state: bytes) -> None:
        if self._store and self._keeper:
            store, content = self._store, checkpoint.pack(state, self._belongs_to)
            self._keeper.send(lambda: store.put(content), latest="state")

    def _forget_state(self) -> None:
        """A completed run has no use for its state; one that cannot be deleted costs pennies and expires."""
        if self._store and self._keeper:
            try:
                self._keeper.send(self._store.delete, latest="state")
                self._keeper.flush(within=LAST_WORDS_SECONDS)
            except TrainingError as error:
                say("checkpoint.left", address=self._store.address, reason=str(error))

    def _give_way(self) -> None:
        say("trainer.interrupted", checkpoint=self._store.address if self._store else None)
        if self._keeper:
            _as_far_as_possible(lambda: self._keeper.flush(within=LAST_WORDS_SECONDS))  # type: ignore[union-attr]
        if self._began:
            _as_far_as_possible(lambda: self._tracked.end("KILLED"))
            _as_far_as_possible(lambda: self._tracked.flush(within=5))

    def _fail(self, reason: str) -> None:
        say("trainer.failed", reason=reason, checkpoint=self._store.address if self._store and self._state else None)
        _as_far_as_possible(lambda: self._record.failed(reason))
        _as_far_as_possible(self._begin)
        _as_far_as_possible(lambda: self._tracked.fail(reason))
        _as_far_as_possible(lambda: self._tracked.flush(within=LAST_WORDS_SECONDS))
        _as_far_as_possible(lambda: self._record.flush(within=LAST_WORDS_SECONDS))


def _as_far_as_possible(action: Callable[[], object]) -> None:
    """Last words: a service that does not take them must not hide the reason they tell."""
    try:
        action()
    except TrainingError as error:
        say("trainer.unsaid", reason=str(error))


def _peak_memory_mb() -> float:
    """Peak resident memory of this process, in MiB."""
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
