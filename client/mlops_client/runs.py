"""What was started and can be waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from mlops_client.errors import JobFailed, WaitTimeout
from mlops_client.models import Job, LogLine, SweepState

if TYPE_CHECKING:
    from mlops_client.client import Client

T = TypeVar("T", Job, SweepState)


class RunningJob:
    """A training run that was started; it goes on whether anybody waits or not."""

    def __init__(self, client: Client, job_id: str) -> None:
        self._client = client
        self.job_id = job_id

    def __repr__(self) -> str:
        return f"RunningJob({self.job_id!r})"

    def status(self) -> Job:
        """How far it is."""
        return self._client.job(self.job_id)

    def wait(
        self,
        timeout: float | None = None,
        *,
        every: float = 1.0,
        on_progress: Callable[[Job], None] | None = None,
        check: bool = True,
    ) -> Job:
        """Wait for its end, at most `timeout` seconds, looking `every` so many; `on_progress` is shown each look.

        Raises JobFailed unless `check` is false, and WaitTimeout.
        """
        return _wait(self.status, timeout, every, on_progress, check, self.job_id)

    def logs(self, follow: bool = False) -> Iterator[LogLine]:
        """What it has written; with `follow`, until its end."""
        return self._client.logs(self.job_id, follow)

    def cancel(self) -> Job:
        """Cancel it."""
        cancelled = self._client.cancel(self.job_id)
        assert isinstance(cancelled, Job)
        return cancelled


class RunningSweep:
    """A sweep that was started; it goes on whether anybody waits or not."""

    def __init__(self, client: Client, sweep_id: str) -> None:
        self._client = client
        self.sweep_id = sweep_id

    def __repr__(self) -> str:
        return f"RunningSweep({self.sweep_id!r})"

    def status(self) -> SweepState:
        """How far it is, its runs ranked."""
        return self._client.sweep_state(self.sweep_id)

    def wait(
        self,
        timeout: float | None = None,
        *,
        every: float = 1.0,
        on_progress: Callable[[SweepState], None] | None = None,
        check: bool = True,
    ) -> SweepState:
        """Wait for its end. Raises JobFailed unless `check` is false, and WaitTimeout."""
        return _wait(self.status, timeout, every, on_progress, check, self.sweep_id)

    def cancel(self) -> SweepState:
        """Cancel what still runs."""
        cancelled = self._client.cancel(self.sweep_id)
        assert isinstance(cancelled, SweepState)
        return cancelled


def _wait(
    look: Callable[[], T],
    timeout: float | None,
    every: float,
    on_progress: Callable[[T], None] | None,
    check: bool,
    name: str,
) -> T:
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        seen = look()
        if on_progress:
            on_progress(seen)
        if seen.ended:
            if check and seen.status != "completed":
                raise JobFailed(seen, name)
            return seen
        if deadline is not None and time.monotonic() >= deadline:
            raise WaitTimeout(f"{name} has not ended after {timeout:.0f} s; it goes on")
        time.sleep(every)
