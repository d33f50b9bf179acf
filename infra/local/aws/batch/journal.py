"""A job's way from state to state: counted in its array, written to the store, and published as an event."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Sequence
from typing import Protocol

from infra.local.aws.batch import documents
from infra.local.aws.batch.jobs import Job
from infra.local.aws.batch.resources import Document
from infra.local.aws.batch.rules import Status, array_status
from infra.local.aws.batch.store import Store

log = logging.getLogger("batch")


class Outlet(Protocol):
    """Where the events of the service and the output of its jobs go."""

    def state_changed(self, detail: Document) -> None:
        """Publish a "Batch Job State Change" event with this detail."""

    def write_log(self, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        """Append (epoch milliseconds, text) lines; with no lines, only make the stream."""


def state_change(detail: Document) -> Document:
    """Return the entry of EventBridge's PutEvents for a change of state with this detail."""
    return {
        "Source": "aws.batch",
        "DetailType": "Batch Job State Change",
        "Detail": json.dumps(detail),
        "Resources": [detail["jobArn"]],
    }


class Journal:
    """Makes the changes of state. Callers hold the scheduler's lock."""

    def __init__(self, store: Store, outlet: Outlet) -> None:
        self._store, self._outlet = store, outlet

    def move(self, job: Job, status: Status, reason: str = "") -> None:
        """Put a job into a state, with the reason for it."""
        self._set_status(job, status, reason)
        self.save(job)
        self._publish(job)

    def make_runnable(self, job: Job) -> list[Job]:
        """Put a submitted job, or all children of an array, into their queue; returns what can run now."""
        if job.array_size and job.status is Status.SUBMITTED:
            self.move(job, Status.PENDING)
        runnable = [run for run in job.runs if run.status.is_before_queue]
        for run in runnable:
            self._set_status(run, Status.RUNNABLE)
        # One transaction, however many children the array has.
        self.save(job, *runnable)
        for run in runnable:
            self._publish(run)
        return runnable

    def end(self, job: Job, status: Status, reason: str) -> None:
        """End a job, and its array with the last child."""
        job.stopped_at = now_ms()
        self.move(job, status, reason)
        parent = job.parent
        outcome = None if parent is None else array_status(parent.status_counts)
        if parent is not None and outcome is not None and not parent.status.has_ended:
            parent.stopped_at = job.stopped_at
            self.move(parent, outcome, "Array Child Job failed" if outcome is Status.FAILED else "")

    def save(self, *jobs: Job) -> None:
        """Write jobs and the array that counts them. On a full disk the jobs go on, and are lost with the process."""
        parents = {job.parent.job_id: job.parent for job in jobs if job.parent is not None}
        try:
            self._store.put_jobs(*jobs, *parents.values())
        except sqlite3.Error as error:
            log.error("the state of the jobs cannot be saved: %s", error)

    def _publish(self, job: Job) -> None:
        self._outlet.state_changed(documents.describe(job))

    def _set_status(self, job: Job, status: Status, reason: str = "") -> None:
        if job.parent is not None:
            job.parent.status_counts[job.status] -= 1
            job.parent.status_counts[status] += 1
        job.status = status
        job.status_reason = reason


def now_ms() -> int:
    """The time as epoch milliseconds."""
    return int(time.time() * 1000)
