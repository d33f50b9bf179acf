"""A run from start to end, and how it ends: completed, failed with a reason, or interrupted with its state kept."""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from mlops.domain import objective as objectives
from mlops.domain.objective import SUMMARY_TAG, Objective
from mlops_contract import Task
from trainer import checkpoint, data, models, process, validation
from trainer.data import Dataset
from trainer.data_options import data_options
from trainer.decision_threshold import decision_threshold_of
from trainer.errors import Interrupted, Pruned, TrainingError, reason_of
from trainer.job_record import JobRecord
from trainer.log import log_event
from trainer.models import Trained
from trainer.models.splits import with_validation
from trainer.parameters import Identity, Parameters, ParameterValue
from trainer.provenance import provenance
from trainer.run_tags import data_tags, objective_of
from trainer.stop import Stop
from trainer.summary import summary
from trainer.tracking import TrackedRun, version_tags
from trainer.trial import Trial

MAX_WAIT_SECONDS = 300.0
"""Seconds for which a service may be down. The variable DELIVERY_MAX_WAIT_SECONDS changes it."""
LAST_WORDS_SECONDS = 15.0
"""Seconds to try to deliver the reason of a failure, or the state of an interrupted run."""
CONNECT_SECONDS = 10.0
"""Seconds for which a run of one epoch waits for MLflow before it begins: later it cannot be stopped in time."""


@dataclass(frozen=True)
class Outcome:
    """The results of a completed run. `metrics` has its objective, if the run has logged it; of a trial also that on
    the rows for validation."""

    run_id: str
    metrics: dict[str, float]
    objective: Objective
    task: Task
    sha256: str
    dataset_digest: str
    model_version: int | None


def run(parameters: Parameters, identity: Identity, stop: Stop, trial: Trial | None = None) -> Outcome:
    """Train, measure, export, log and register.

    Args:
        parameters: What to train.
        identity: The job that this is an attempt of.
        stop: Says when to stop.
        trial: Of a run of a sweep that chooses among its runs.

    Raises:
        TrainingError, DataError: with the reason, which is in the job's record and the MLflow run too, as far as they
            answer.
        Pruned: The sweep ends the run, which the record and the MLflow run say.
        Interrupted: `stop` was requested; the state is kept.
    """
    job = _Job(parameters, identity, stop, trial)
    try:
        return job.run()
    finally:
        job.close()


def register(parameters: Parameters, outcome: Outcome) -> int | None:
    """Register the model of a run that did not register its own, and return the version. Raises TrainingError."""
    tracked = TrackedRun(parameters, Identity(), max_wait())
    tracked.adopt(outcome.run_id)
    tags = version_tags(outcome.sha256, outcome.dataset_digest, outcome.objective, outcome.task, None)
    tracked.register(parameters.model_name, tags)
    tracked.flush()
    tracked.close()
    return tracked.model_version


def max_wait() -> float:
    """Return the seconds for which a service may be down."""
    return float(os.environ.get("DELIVERY_MAX_WAIT_SECONDS") or MAX_WAIT_SECONDS)


class _Job:
    """The run's connections to the outside, and the session that a model type trains in (`models.Session`)."""

    def __init__(self, parameters: Parameters, identity: Identity, stop: Stop, trial: Trial | None) -> None:
        self._parameters = parameters
        self._stop = stop
        self._trial = trial
        self._max_wait = max_wait()
        self._state_keeper = checkpoint.StateKeeper(checkpoint.store_of(identity), self._max_wait)
        self._record = JobRecord(identity, self._max_wait)
        self._tracked = TrackedRun(parameters, identity, self._max_wait)
        self._identity = identity
        self._params: dict[str, ParameterValue] = {}
        self._epochs = parameters.epochs
        self._begun = False
        self._run_tags: dict[str, str] = {}
        self._reported: dict[str, float] = {}

    def run(self) -> Outcome:
        try:
            self._params = models.run_params(self._parameters)
            identity = {"job_id": self._identity.job_id, "attempt": self._identity.attempt}
            log_event("trainer.started", **identity, **self._params)
            return self._run()
        except Interrupted:
            self._end_interrupted()
            raise
        except Pruned as pruned:
            self._end_pruned(str(pruned))
            raise
        except Exception as error:
            self._fail(reason_of(error))
            raise

    def close(self) -> None:
        """Let the senders end."""
        self._tracked.close()
        self._record.close()
        self._state_keeper.close()

    def _run(self) -> Outcome:
        # Artifacts are put together there at the end, and whether it can be written to is known now.
        process.temporary_folder()
        dataset = data.load(self._parameters.dataset, data_options(self._parameters))
        log_event("data.loaded", dataset=dataset.name, train=len(dataset.train), held_out=len(dataset.held_out))
        for note in dataset.notes:
            log_event("data.note", dataset=dataset.name, note=note)
        objective = objective_of(self._parameters, dataset)
        if self._trial:
            dataset = with_validation(dataset)
            self._trial.begin(objective)
        threshold = decision_threshold_of(self._parameters, dataset)
        self._run_tags = objectives.run_tags(objective, dataset.task)
        self._check_stop()
        model_type = models.find(self._parameters.model_type)
        self._state_keeper.load(checkpoint.fingerprint(self._params, dataset.digest))
        self._check_stop()
        trained = model_type.train(dataset, self._parameters, self)
        self._check_stop()
        self._tracked.data(dataset)
        return self._conclude(trained, dataset, objective, threshold)

    def _conclude(
        self, trained: Trained, dataset: Dataset, objective: Objective, decision_threshold: float | None
    ) -> Outcome:
        from trainer.evaluation import baseline, evaluate
        from trainer.export import export

        exported = export(trained, dataset, decision_threshold)
        # The figures are of the file that will serve, not of the model it was made from.
        held_out = dataset.held_out
        evaluation = evaluate(
            dataset.task, exported.answers, held_out.targets, dataset.labels, held_out.weights, decision_threshold
        )
        metrics = evaluation.metrics()
        naive = baseline(dataset, objective)
        if naive is not None:
            metrics[f"baseline_{objective.name}"] = naive
        log_event("model.exported", sha256=exported.sha256, bytes=len(exported.content), **metrics)
        self._check_stop()

        from trainer import report

        tags = {"mlops.sha256": exported.sha256, "mlops.dataset_digest": dataset.digest, **data_tags(dataset)}
        figures = {
            **metrics,
            **evaluation.class_metrics(),
            "model_size_bytes": float(len(exported.content)),
            "prediction_latency_ms": exported.latency_ms,
            "onnx_difference": exported.worst_difference,
            "peak_memory_mb": process.peak_memory_mb(),
        }
        outcome_metrics = validation.reported(objective, self._reported) | metrics
        if self._trial:
            outcome_metrics |= validation.on_validation(trained, dataset, objective, self._reported, decision_threshold)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            report.write(
                folder,
                self._parameters,
                dataset,
                evaluation,
                exported,
                provenance(),
                objective=objective,
                baseline=naive,
                importance=trained.importance(),
            )
            about = {SUMMARY_TAG: summary(self._parameters, dataset, outcome_metrics, objective)}
            self._tracked.results(tags | about, folder)
            metadata = {"sha256": exported.sha256, "dataset": dataset.name}
            self._tracked.model(exported.content, dataset, metadata, figures)
            if self._parameters.register_model:
                version = version_tags(exported.sha256, dataset.digest, objective, dataset.task, self._identity.job_id)
                self._tracked.register(self._parameters.model_name, version)
            self._tracked.end("FINISHED")
            self._tracked.flush()
        self._record.completed(outcome_metrics, self._tracked.model_version)
        self._record.flush()
        self._state_keeper.forget()
        outcome = Outcome(
            run_id=self._tracked.run_id or "",
            metrics=outcome_metrics,
            objective=objective,
            task=dataset.task,
            sha256=exported.sha256,
            dataset_digest=dataset.digest,
            model_version=self._tracked.model_version,
        )
        log_event(
            "trainer.completed", run_id=outcome.run_id, model_version=outcome.model_version, sha256=outcome.sha256
        )
        return outcome

    # The session of the model type

    def resume(self) -> bytes | None:
        return self._state_keeper.state

    def should_stop(self) -> bool:
        self._tracked.check()
        return self._stop.requested()

    def on_train_begin(self, epochs: int) -> None:
        log_event("imports.done")  # a type imports its libraries when it trains
        self._epochs = epochs
        self._begin()
        if epochs == 1:
            self._tracked.wait(CONNECT_SECONDS)
        self._tracked.check()

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, float], state: Callable[[], bytes] | None) -> None:
        log_event("epoch.done", epoch=epoch, epochs=self._epochs, **metrics)
        if state is not None:
            self._state_keeper.keep(state())
        self._reported.update(metrics)
        self._tracked.epoch(epoch, metrics)
        self._record.progressed(epoch, metrics, self._trial.measured(epoch, metrics) if self._trial else None)
        if self._trial:
            self._trial.check()

    def interrupt(self, state: bytes | None) -> NoReturn:
        if state is not None:
            self._state_keeper.keep(state)
        raise Interrupted

    # Beginnings and ends

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            params, epochs = self._params, self._epochs
            tags = provenance() | self._run_tags
            self._tracked.begin(params, tags, lambda run_id: self._record.started(run_id, params, epochs))

    def _check_stop(self) -> None:
        if self._stop.requested():
            raise Interrupted

    def _end_interrupted(self) -> None:
        log_event("trainer.interrupted", checkpoint=self._state_keeper.address)
        _as_far_as_possible(lambda: self._state_keeper.flush(LAST_WORDS_SECONDS))
        if self._begun:
            _as_far_as_possible(lambda: self._tracked.end("KILLED"))
            _as_far_as_possible(lambda: self._tracked.flush(within=5))

    def _end_pruned(self, reason: str) -> None:
        log_event("trainer.pruned", reason=reason)
        self._tracked.prune(reason)
        self._tracked.flush()
        self._record.pruned(reason)
        self._record.flush()
        self._state_keeper.forget()

    def _fail(self, reason: str) -> None:
        log_event("trainer.failed", reason=reason, checkpoint=self._state_keeper.resumed_from)
        _as_far_as_possible(lambda: self._record.failed(reason))
        _as_far_as_possible(self._begin)
        _as_far_as_possible(lambda: self._tracked.fail(reason))
        _as_far_as_possible(lambda: self._tracked.flush(within=LAST_WORDS_SECONDS))
        _as_far_as_possible(lambda: self._record.flush(within=LAST_WORDS_SECONDS))


def _as_far_as_possible(action: Callable[[], object]) -> None:
    """Report the end of a run. If a service does not accept the report, the reason for the end must not be hidden."""
    try:
        action()
    except TrainingError as error:
        log_event("trainer.report_lost", reason=str(error))
