"""Handles of started jobs, sweeps and batch predictions, to wait for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from mlops_client.errors import JobFailed, WaitTimeout
from mlops_client.models import BatchPredictionState, Job, LogLine, SweepState

T = TypeVar("T", Job, SweepState, BatchPredictionState)


class JobService(Protocol):
    """The methods of the client that a started job or sweep uses."""

    def job(self, job_id: str) -> Job: ...
    def sweep_state(self, sweep_id: str) -> SweepState: ...
    def cancel(self, identifier: str) -> Job | SweepState: ...
    def logs(self, job_id: str, follow: bool = False) -> Iterator[LogLine]: ...


class RunningJob:
    """A training job that was started. It runs whether or not you wait for it."""

    def __init__(self, client: JobService, job_id: str) -> None:
        self._client = client
        self.job_id = job_id

    def __repr__(self) -> str:
        return f"RunningJob({self.job_id!r})"

    def status(self) -> Job:
        """Return the job's current record."""
        return self._client.job(self.job_id)

    def wait(
        self,
        timeout: float | None = None,
        *,
        every: float = 1.0,
        on_progress: Callable[[Job], None] | None = None,
        check: bool = True,
    ) -> Job:
        """Wait until the job has ended, and return its record.

        Args:
            timeout: Seconds to wait at most; None waits as long as it takes.
            every: Seconds between two requests.
            on_progress: Called with the record after each request.
            check: Whether to raise JobFailed if the job does not complete.

        Raises:
            JobFailed: The job failed, was cancelled, or was pruned by its sweep.
            WaitTimeout: The job has not ended in time. It continues.
        """
        return _wait(self.status, timeout, every, on_progress, check, self.job_id)

    def logs(self, follow: bool = False) -> Iterator[LogLine]:
        """Return the lines that the job has written. With `follow`, wait for more until it has ended."""
        return self._client.logs(self.job_id, follow)

    def cancel(self) -> Job:
        """Cancel the job."""
        cancelled = self._client.cancel(self.job_id)
        assert isinstance(cancelled, Job)
        return cancelled


class RunningSweep:
    """A sweep that was started. It runs whether or not you wait for it."""

    def __init__(self, client: JobService, sweep_id: str) -> None:
        self._client = client
        self.sweep_id = sweep_id

    def __repr__(self) -> str:
        return f"RunningSweep({self.sweep_id!r})"

    def status(self) -> SweepState:
        """Return the sweep's current record, with ranked runs."""
        return self._client.sweep_state(self.sweep_id)

    def wait(
        self,
        timeout: float | None = None,
        *,
        every: float = 1.0,
        on_progress: Callable[[SweepState], None] | None = None,
        check: bool = True,
    ) -> SweepState:
        """Wait until the sweep has ended, and return its record. Arguments and errors are those of a job's `wait`."""
        return _wait(self.status, timeout, every, on_progress, check, self.sweep_id)

    def cancel(self) -> SweepState:
        """Cancel the runs of the sweep that have not ended."""
        cancelled = self._client.cancel(self.sweep_id)
        assert isinstance(cancelled, SweepState)
        return cancelled


class BatchPredictionService(Protocol):
    """The methods of the client that a started batch prediction uses."""

    def batch_prediction(self, batch_id: str) -> BatchPredictionState: ...
    def cancel_batch_prediction(self, batch_id: str) -> BatchPredictionState: ...


class RunningBatchPrediction:
    """A batch prediction that was started. It runs whether or not you wait for it."""

    def __init__(self, client: BatchPredictionService, batch_id: str) -> None:
        self._client = client
        self.batch_id = batch_id

    def __repr__(self) -> str:
        return f"RunningBatchPrediction({self.batch_id!r})"

    def status(self) -> BatchPredictionState:
        """Return how far it is."""
        return self._client.batch_prediction(self.batch_id)

    def wait(
        self,
        timeout: float | None = None,
        *,
        every: float = 2.0,
        on_progress: Callable[[BatchPredictionState], None] | None = None,
        check: bool = True,
    ) -> BatchPredictionState:
        """Wait until it has ended, and return its state. Arguments and errors are those of a job's `wait`."""
        return _wait(self.status, timeout, every, on_progress, check, self.batch_id)

    def cancel(self) -> BatchPredictionState:
        """Cancel it."""
        return self._client.cancel_batch_prediction(self.batch_id)


def _wait(
    read: Callable[[], T],
    timeout: float | None,
    every: float,
    on_progress: Callable[[T], None] | None,
    check: bool,
    name: str,
) -> T:
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        record = read()
        if on_progress:
            on_progress(record)
        if record.ended:
            if check and record.status != "completed":
                raise JobFailed(record, name)
            return record
        if deadline is not None and time.monotonic() >= deadline:
            raise WaitTimeout(f"{name} has not ended after {timeout:.0f} s; it continues")
        time.sleep(every)
