"""Training jobs and sweeps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from mlops_client.inputs import checked_id, checked_space
from mlops_client.listing import Listing
from mlops_client.models import Job, LogLine, ModelType, SweepAccepted, SweepState, TrainAccepted
from mlops_client.records import decode, decode_page
from mlops_client.routes.base import Routes, given
from mlops_client.running import RunningJob, RunningSweep
from mlops_client.transport import path

LOG_DELAY = 4.0
"""Seconds after the end of a job in which log lines may still arrive."""


class TrainingRoutes(Routes):
    """Start, follow and cancel training jobs and sweeps."""

    def train(
        self,
        *,
        learning_rate: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        hidden_size: int | None = None,
        dropout: float | None = None,
        seed: int | None = None,
        model_type: str | None = None,
        dataset: str | None = None,
        target: str | None = None,
        task: str | None = None,
        columns: dict[str, str] | None = None,
        objective: str | None = None,
        direction: str | None = None,
        held_out: float | dict[str, str] | None = None,
        weight: str | None = None,
        class_weight: str | None = None,
        decision_threshold: float | None = None,
        hyperparameters: dict[str, Any] | None = None,
        preset: str | None = None,
        resources: dict[str, float] | None = None,
        experiment_name: str | None = None,
        run_name: str | None = None,
        model_name: str | None = None,
        register: bool | None = None,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> RunningJob:
        """Start a training job. Call `wait()` on the result to wait until it has ended.

        Arguments that you leave out have the API's defaults. `docs/api.md` lists defaults and bounds.

        Args:
            learning_rate: Short form for networks: the highest learning rate of the schedule.
            epochs: Short form for networks: passes over the data set.
            batch_size: Short form for networks: rows per step.
            hidden_size: Short form for networks: units in the hidden layer.
            dropout: Short form for networks: share of units left out in a step.
            seed: The same seed gives the same model.
            model_type: One of `model_types()`.
            dataset: digits, mnist, or the s3:// or https:// address of a file: .csv, .tsv, .jsonl or .ndjson, also
                packed as .gz or .zst; .parquet; or .npz. An s3:// address that ends in / stands for the Parquet files
                below it.
            target: The column of a table to predict.
            task: classification or regression. By default the target's values decide.
            columns: What columns are taken for: ignore, number, category, boolean or datetime, by their names.
            objective: The metric that ranks runs: accuracy, f1, roc_auc, average_precision, log_loss, rmse, mae, r2, or
                one of your own.
            direction: maximise or minimise, for an objective of your own.
            held_out: Which rows measure the model: a share; {"column", "from"}, the rows from a time on; or {"column"},
                whole groups.
            weight: The column with the rows' weights.
            class_weight: balanced: rare classes weigh as much as frequent ones.
            decision_threshold: Of two classes: the probability of the second one from which on it is the answer.
            hyperparameters: By the model type's own names.
            preset: best: the model type's recommended values for all that is not given.
            resources: {"vcpu", "memory_gb", "minutes"} of the job, or {"gpu": 1, "minutes"}.
            experiment_name: The MLflow experiment of the run.
            run_name: The run's name.
            model_name: The registered model.
            register: Whether to register the model at the end.
            idempotency_key: Requests with the same key are carried out only once.
            **more: Fields of a newer platform.
        """
        named = {name: value for name, value in locals().items() if name not in ("self", "idempotency_key", "more")}
        accepted = decode(TrainAccepted, self._post("/train", given(named) | more, key=idempotency_key))
        return RunningJob(self, accepted.job_id)

    def sweep(
        self,
        *,
        num_runs: int | None = None,
        strategy: str | None = None,
        workers: int | None = None,
        prune: bool | None = None,
        seed: int | None = None,
        epochs: int | None = None,
        space: dict[str, Any] | None = None,
        model_type: str | None = None,
        dataset: str | None = None,
        target: str | None = None,
        task: str | None = None,
        columns: dict[str, str] | None = None,
        objective: str | None = None,
        direction: str | None = None,
        held_out: float | dict[str, str] | None = None,
        weight: str | None = None,
        class_weight: str | None = None,
        decision_threshold: float | None = None,
        hyperparameters: dict[str, Any] | None = None,
        preset: str | None = None,
        resources: dict[str, float] | None = None,
        experiment_name: str | None = None,
        model_name: str | None = None,
        register_best: bool | None = None,
        stage: str | None = None,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> RunningSweep:
        """Start several training jobs with different hyperparameters.

        The arguments that `train` has too mean the same.

        Args:
            num_runs: Number of jobs.
            strategy: random, grid, or tpe or gp, which choose values by what the jobs before have shown.
            workers: For tpe and gp: how many jobs train at the same time.
            prune: Not for grid: end a job early if it is worse than the median of the others.
            seed: The same seed chooses the same hyperparameters.
            epochs: Short form for networks: epochs of each job.
            space: For each hyperparameter a list of values, or {"low", "high", "log"} for a range. By default that of
                the model type.
            model_type: See `train`.
            dataset: See `train`.
            target: See `train`.
            task: See `train`.
            columns: See `train`.
            objective: See `train`.
            direction: See `train`.
            held_out: See `train`.
            weight: See `train`.
            class_weight: See `train`.
            decision_threshold: See `train`.
            hyperparameters: Those that all jobs have; see `train`.
            preset: See `train`.
            resources: Of each job; see `train`.
            experiment_name: See `train`.
            model_name: See `train`.
            register_best: Whether to register the model of the best run.
            stage: Promote that model to this stage: Staging or Production.
            idempotency_key: See `train`.
            **more: Fields of a newer platform.

        Raises:
            BadInput: `space` has a fraction for a hyperparameter that takes whole numbers.
        """
        named = {name: value for name, value in locals().items() if name not in ("self", "idempotency_key", "more")}
        checked_space(space)
        accepted = decode(SweepAccepted, self._post("/sweeps", given(named) | more, key=idempotency_key))
        return RunningSweep(self, accepted.sweep_id)

    def model_types(self) -> list[ModelType]:
        """Return the model types that can be trained, with their hyperparameters."""
        return decode_page(ModelType, self.transport.call("GET", "/model-types"), "model_types")

    def job(self, job_id: str) -> Job:
        """Return a training job."""
        return decode(Job, self.transport.call("GET", path("train", "status", checked_id(job_id, "job"))))

    def jobs(
        self,
        status: str | None = None,
        limit: int = 50,
        *,
        experiment_name: str | None = None,
        model_name: str | None = None,
    ) -> Listing[Job]:
        """Return at most `limit` training jobs, the newest first: those with a status, of an experiment, of a model."""

        def wanted(job: Job) -> bool:
            return experiment_name in (None, job.experiment_name) and model_name in (None, job.model_name)

        keep = wanted if experiment_name is not None or model_name is not None else None
        return self._pages("/train/jobs", "jobs", Job, limit, {"status": status}, keep)

    def cancel(self, identifier: str) -> Job | SweepState:
        """Cancel a job, or all jobs of a sweep that have not ended."""
        if identifier.startswith("sweep_"):
            route = path("sweeps", checked_id(identifier, "sweep"))
            return decode(SweepState, self.transport.call("DELETE", route))
        return decode(Job, self.transport.call("DELETE", path("train", "jobs", checked_id(identifier, "job"))))

    def logs(self, job_id: str, follow: bool = False, every: float = 1.0) -> Iterator[LogLine]:
        """Yield the lines that a job has written.

        Args:
            job_id: The job.
            follow: Whether to wait for more lines until the job has ended.
            every: Seconds between two requests without new lines.
        """
        route = path("train", "jobs", checked_id(job_id, "job"), "logs")
        cursor = None
        silent = 0
        while True:
            # The state is read first, so that a page read after the end has all lines from before it.
            ended = not follow or self.job(job_id).ended
            page = self.transport.call("GET", route, query={"cursor": cursor})
            lines = decode_page(LogLine, page, "lines")
            yield from lines
            cursor = page.get("next_cursor") or cursor
            silent = 0 if lines else silent + 1
            if ended and silent and (not follow or silent * every >= LOG_DELAY):
                return
            if not lines:
                time.sleep(every)

    def sweep_state(self, sweep_id: str) -> SweepState:
        """Return a sweep with its runs, the best first."""
        return decode(SweepState, self.transport.call("GET", path("sweeps", checked_id(sweep_id, "sweep"))))

    def sweeps(self, limit: int = 20) -> Listing[SweepState]:
        """Return at most `limit` sweeps, the newest first."""
        return self._pages("/sweeps", "sweeps", SweepState, limit)
