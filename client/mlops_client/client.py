"""The client: one method a route, with records for answers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mlops_client.config import read_login
from mlops_client.errors import BadInput, TransitionRefused, WaitTimeout
from mlops_client.inputs import PNG_SIGNATURE, checked_id, image_fields, plain, scale_of
from mlops_client.listing import Listing
from mlops_client.models import (
    BatchPrediction,
    Comparison,
    DriftHistory,
    DriftStatus,
    Experiment,
    Health,
    Job,
    LogLine,
    Model,
    ModelDetail,
    Prediction,
    Ready,
    RunDetail,
    RunRow,
    SweepAccepted,
    SweepState,
    TrainAccepted,
    Transition,
)
from mlops_client.records import decode, decode_page
from mlops_client.runs import RunningJob, RunningSweep
from mlops_client.transport import Transport, path

T = TypeVar("T")
PAGE = 100
BATCH = 100
"""As many records a page, and inputs a request, as the API gives and takes."""
LOGS_LATE = 4.0
DEFAULT_MODEL = "digit-classifier"


class Client:
    """The platform's API at `url` with the API key `key`.

    Left out, both come from MLOPS_API_URL and MLOPS_API_KEY, then from what `mlops login` kept. Requests that failed
    for a passing reason are tried again, at most `attempts` times in all; what changes something carries an
    Idempotency-Key, so that it happens once.

    Every method raises ApiError (its subclasses say which kind) when the API refuses, and Unreachable when nothing that
    speaks the API answers. The constructor raises NotSignedIn.
    """

    def __init__(
        self, url: str | None = None, key: str | None = None, *, attempts: int = 5, timeout: float = 40.0
    ) -> None:
        login = read_login(url, key)
        self.url = login.url.rstrip("/")
        self.transport = Transport(login.url, login.key, attempts=attempts, timeout=timeout)

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    # --- health -------------------------------------------------------------------------------------------------------

    def health(self) -> Health:
        """The API is up; nothing behind it is asked."""
        return decode(Health, self.transport.call("GET", "/health"))

    def ready(self) -> Ready:
        """Whether what stands behind the API answers. `status` says if something does not."""
        return decode(Ready, self.transport.call("GET", "/ready", answers=(503,)))

    # --- training -----------------------------------------------------------------------------------------------------

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
        experiment_name: str | None = None,
        run_name: str | None = None,
        model_name: str | None = None,
        register: bool | None = None,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> RunningJob:
        """Start a training run; what is left out is the API's default. `.wait()` on the answer waits for its end.

        `more` are fields of a platform newer than this client.
        """
        named = {name: value for name, value in locals().items() if name not in ("self", "idempotency_key", "more")}
        accepted = decode(TrainAccepted, self._post("/train", _given(named) | more, key=idempotency_key))
        return RunningJob(self, accepted.job_id)

    def sweep(
        self,
        *,
        num_runs: int | None = None,
        strategy: str | None = None,
        seed: int | None = None,
        epochs: int | None = None,
        space: dict[str, Any] | None = None,
        model_type: str | None = None,
        dataset: str | None = None,
        experiment_name: str | None = None,
        model_name: str | None = None,
        register_best: bool | None = None,
        stage: str | None = None,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> RunningSweep:
        """Start several runs of different hyperparameters.

        `space` gives for each hyperparameter a list of values, or {"low", "high", "log"} to draw from.
        """
        named = {name: value for name, value in locals().items() if name not in ("self", "idempotency_key", "more")}
        accepted = decode(SweepAccepted, self._post("/sweeps", _given(named) | more, key=idempotency_key))
        return RunningSweep(self, accepted.sweep_id)

    def job(self, job_id: str) -> Job:
        """How far a training run is."""
        return decode(Job, self.transport.call("GET", path("train", "status", checked_id(job_id, "job"))))

    def jobs(self, status: str | None = None, limit: int = 50) -> Listing[Job]:
        """Training runs, the newest first; at most `limit`, over as many pages as that takes."""
        return self._pages("/train/jobs", "jobs", Job, limit, {"status": status})

    def cancel(self, identifier: str) -> Job | SweepState:
        """Cancel a job or, by its own id, what still runs of a sweep."""
        if identifier.startswith("sweep_"):
            route = path("sweeps", checked_id(identifier, "sweep"))
            return decode(SweepState, self.transport.call("DELETE", route))
        return decode(Job, self.transport.call("DELETE", path("train", "jobs", checked_id(identifier, "job"))))

    def logs(self, job_id: str, follow: bool = False, every: float = 1.0) -> Iterator[LogLine]:
        """What a run has written; with `follow`, what it writes too, until it has ended."""
        route = path("train", "jobs", checked_id(job_id, "job"), "logs")
        cursor = None
        silent = 0
        while True:
            # Asked first: what was written before the end is then sure to come in a page after it.
            ended = not follow or self.job(job_id).ended
            page = self.transport.call("GET", route, query={"cursor": cursor})
            lines = decode_page(LogLine, page, "lines")
            yield from lines
            cursor = page.get("next_cursor") or cursor
            silent = 0 if lines else silent + 1
            # Lines arrive some seconds after they were written, the last ones after the job's end.
            if ended and silent and (not follow or silent * every >= LOGS_LATE):
                return
            if not lines:
                time.sleep(every)

    def sweep_state(self, sweep_id: str) -> SweepState:
        """How far a sweep is, its runs ranked."""
        return decode(SweepState, self.transport.call("GET", path("sweeps", checked_id(sweep_id, "sweep"))))

    def sweeps(self, limit: int = 20) -> Listing[SweepState]:
        """Sweeps, the newest first."""
        return self._pages("/sweeps", "sweeps", SweepState, limit)

    # --- what was tried -----------------------------------------------------------------------------------------------

    def experiments(self, limit: int = 50) -> Listing[Experiment]:
        """Experiments, the newest first, each with its best run."""
        return self._pages("/experiments", "experiments", Experiment, limit)

    def runs(self, experiment: str, order_by: str = "metrics.accuracy desc", limit: int = 50) -> Listing[RunRow]:
        """The runs of an experiment, by its name or id; `order_by` is such as `metrics.loss asc`."""
        return self._pages(path("experiments", experiment), "runs", RunRow, limit, {"order_by": order_by})

    def run(self, experiment: str, run_id: str) -> RunDetail:
        """One run in full: params, metrics and their history, tags, artifacts."""
        return decode(RunDetail, self.transport.call("GET", path("experiments", experiment, "runs", run_id)))

    def compare(self, experiment: str, run_ids: Sequence[str]) -> Comparison:
        """2 to 10 runs side by side: what differs comes first, with the best of each metric."""
        query = {"runs": ",".join(run_ids)}
        return decode(Comparison, self.transport.call("GET", path("experiments", experiment, "compare"), query=query))

    # --- models -------------------------------------------------------------------------------------------------------

    def models(self, limit: int = 50) -> Listing[Model]:
        """Registered models by name."""
        return self._pages("/models", "models", Model, limit)

    def model(self, name: str = DEFAULT_MODEL) -> ModelDetail:
        """A model's versions with their stages, the newest first."""
        return decode(ModelDetail, self.transport.call("GET", path("models", name)))

    def history(self, name: str = DEFAULT_MODEL, limit: int = 50) -> Listing[Transition]:
        """Who moved which version where, when and why; the newest first."""
        return self._pages(path("models", name, "history"), "transitions", Transition, limit)

    def promote(
        self,
        version: int,
        model_name: str = DEFAULT_MODEL,
        stage: str = "Production",
        *,
        reason: str | None = None,
        force: bool = False,
        wait: float = 120,
        idempotency_key: str | None = None,
    ) -> Transition:
        """Move a version to Staging, Production or Archived, and wait up to `wait` seconds for the outcome.

        `force` goes past the metric gates, with a reason; never past integrity. With `wait=0` the answer is as queued.

        Raises TransitionRefused: a gate rejected it, or it failed; holds the gate's results. Raises WaitTimeout.
        """
        body: dict[str, Any] = {"model_name": model_name, "version": version, "stage": stage}
        body |= _given({"reason": reason, "force": force or None})
        return self._moved("/models/transition", body, wait, idempotency_key)

    def rollback(
        self,
        model_name: str = DEFAULT_MODEL,
        *,
        reason: str | None = None,
        wait: float = 120,
        idempotency_key: str | None = None,
    ) -> Transition:
        """Move the version back to Production that was there before. Raises as `promote`."""
        return self._moved(path("models", model_name, "rollback"), _given({"reason": reason}), wait, idempotency_key)

    def transition(self, transition_id: str) -> Transition:
        """What came of a transition."""
        return decode(Transition, self.transport.call("GET", path("models", "transitions", transition_id)))

    def _moved(self, route: str, body: dict[str, Any], wait: float, key: str | None) -> Transition:
        query = {"wait": min(20, int(wait))} if wait >= 1 else {}
        deadline = time.monotonic() + wait
        moved = decode(Transition, self._post(route, body, query=query, key=key))
        while moved.status == "queued" and wait > 0:
            if time.monotonic() > deadline:
                raise WaitTimeout(f"transition {moved.transition_id} is still queued after {wait:.0f} s; it goes on")
            time.sleep(0.5)
            moved = self.transition(moved.transition_id)
        if moved.status in ("rejected", "failed"):
            raise TransitionRefused(moved)
        return moved

    # --- predictions --------------------------------------------------------------------------------------------------

    def predict(
        self,
        image: Any = None,
        *,
        inputs: Any = None,
        scale: float | None = None,
        model_name: str | None = None,
        staging: bool = False,
    ) -> Prediction:
        """Predict one input: an `image`, or for models that take no images `inputs`, as many numbers as features.

        `image` is an array or nested list of pixels, `[28, 28]` or flat, from 0 to `scale` (255 for numpy's whole
        numbers, else 1), the bytes of a PNG, or a path to one. `staging` asks the Staging model.
        """
        if (image is None) == (inputs is None):
            raise BadInput("predict takes either an image or inputs")
        if isinstance(image, str | Path):
            image = _file(image)
        body = {"inputs": plain(inputs)} if image is None else image_fields(image, scale)
        route = "/predict/staging" if staging else "/predict"
        sent = body | _given({"model_name": model_name})
        return decode(Prediction, self.transport.call("POST", route, sent, safe=True))

    def predict_batch(
        self, images: Any = None, *, inputs: Any = None, scale: float | None = None, model_name: str | None = None
    ) -> BatchPrediction:
        """Predict many inputs, `[n, rows, columns]`, `[n, pixels]` or `inputs` `[n, features]`; 100 a request."""
        if (images is None) == (inputs is None):
            raise BadInput("predict_batch takes either images or inputs")
        name = "inputs_list" if images is None else "images"
        rows = plain(inputs if images is None else images)
        if not rows:
            raise BadInput("predict_batch takes at least one input")
        rest = _given({"scale": None if images is None else scale_of(images, scale), "model_name": model_name})
        pages = [
            decode(
                BatchPrediction,
                self.transport.call("POST", "/predict/batch", {name: rows[start : start + BATCH], **rest}, safe=True),
            )
            for start in range(0, len(rows), BATCH)
        ]
        return BatchPrediction(
            predictions=[each for page in pages for each in page.predictions],
            confidences=[each for page in pages for each in page.confidences],
            model_name=pages[-1].model_name,
            model_version=pages[-1].model_version,
            batch_size=len(rows),
        )

    # --- drift --------------------------------------------------------------------------------------------------------

    def drift(
        self, model_name: str | None = None, baseline_hours: int | None = None, current_hours: int | None = None
    ) -> DriftStatus:
        """Whether the Production version's predictions have drifted. Without a name, the platform's default model."""
        query = {"model_name": model_name, "baseline_hours": baseline_hours, "current_hours": current_hours}
        return decode(DriftStatus, self.transport.call("GET", "/drift/status", query=query))

    def drift_history(
        self, model_name: str | None = None, hours: int | None = None, step_hours: int | None = None
    ) -> DriftHistory:
        """How far the Production version's predictions lay from its reference, window by window."""
        query = {"model_name": model_name, "hours": hours, "step_hours": step_hours}
        return decode(DriftHistory, self.transport.call("GET", "/drift/history", query=query))

    # --- common parts -------------------------------------------------------------------------------------------------

    def _post(self, route: str, body: Any, query: dict[str, Any] | None = None, key: str | None = None) -> Any:
        return self.transport.call("POST", route, body, query=query, idempotency_key=key or str(uuid.uuid4()))

    def _pages(
        self, route: str, field: str, kind: type[T], limit: int, query: dict[str, Any] | None = None
    ) -> Listing[T]:
        records: list[T] = []
        cursor = total = None
        while True:
            asked = {**(query or {}), "limit": min(PAGE, limit - len(records)), "cursor": cursor}
            page = self.transport.call("GET", route, query=asked)
            records += decode_page(kind, page, field)
            cursor, total = page.get("next_cursor"), page.get("total_count", total)
            if cursor is None or len(records) >= limit:
                return Listing(records, total, cursor)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _file(name: str | Path) -> bytes:
    """A PNG's bytes. Raises BadInput."""
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}") from None
    if not content.startswith(PNG_SIGNATURE):
        raise BadInput(f"{name} is no PNG; give one, or an array of pixels")
    return content
