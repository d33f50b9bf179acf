"""Which job runs when: waiting in order, starting, retrying, and what a stop or a crash leaves."""

from __future__ import annotations

import heapq
import logging
import signal
import threading
import uuid
from pathlib import Path

from infra.local.aws.batch.containers import DID_NOT_START, TIMED_OUT, Containers, Outcome
from infra.local.aws.batch.jobs import ContainerState, Job, PastAttempt
from infra.local.aws.batch.journal import Journal, Outlet, now_ms
from infra.local.aws.batch.rules import Status, should_retry
from infra.local.aws.batch.runner import STOP_SECONDS, Attempt, Image
from infra.local.aws.batch.store import Store

log = logging.getLogger("batch")


class Scheduler:
    """Runs at most `slots` jobs at a time, by queue priority and then in order of submission.

    Every method may be called from any thread. Jobs change only under `lock`.
    """

    def __init__(self, store: Store, image: Image, outlet: Outlet, *, slots: int, scratch: Path) -> None:
        self.lock = threading.RLock()
        self._store = store
        self._journal = Journal(store, outlet)
        self._containers = Containers(image, outlet, slots=slots, scratch=scratch)
        self._slots = slots
        self._wake = threading.Condition(self.lock)
        self._submitted: list[Job] = []
        self._waiting: list[tuple[int, int, int, str]] = []
        self._running: dict[str, Attempt | None] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="batch-scheduler", daemon=True)

    def start(self) -> None:
        """Continue where the last process stopped, then schedule."""
        self._containers.clear()
        with self.lock:
            for job in list(self._store.jobs.values()):
                self._recover(job)
        self._thread.start()

    def stop(self) -> None:
        """Interrupt what runs, as a host that goes away does, and keep the rest for the next start.

        Returns when no job runs any more, at most a little over 30 s later.
        """
        with self.lock:
            self._stopping = True
            for attempt in self._running.values():
                if attempt is not None:
                    attempt.terminate()
            self._wake.notify_all()
            self._wake.wait_for(lambda: not self._running, STOP_SECONDS + 10)

    def submit(self, job: Job) -> None:
        """Keep a new job, with its children, and put it into its queue soon. Raises sqlite3.Error: it is not kept."""
        with self.lock:
            self._store.put_jobs(*job.family())
            self._submitted.append(job)
            self._wake.notify_all()

    def terminate(self, job: Job, reason: str) -> None:
        """End the job whatever it does: SIGTERM first, SIGKILL 30 s later."""
        with self.lock:
            for run in job.runs:
                if run.status.has_ended:
                    continue
                run.is_terminated = True
                if run.job_id in self._running:
                    run.termination = reason
                    self._journal.save(run)
                    attempt = self._running[run.job_id]
                    if attempt is not None:
                        attempt.terminate()
                else:
                    self._journal.end(run, Status.FAILED, reason)

    # The callers of the methods below hold the lock, except where a method takes it.

    def _recover(self, job: Job) -> None:
        if job.status in (Status.STARTING, Status.RUNNING):
            if job.process is not None:
                job.process.stop(5, first=signal.SIGKILL)
            self._attempt_ended(job, Outcome(status_reason=job.submission.interruption))
        elif job.parent is None and job.status.is_before_queue:
            self._submitted.append(job)
        elif job.status is Status.RUNNABLE:
            self._enqueue(job)

    def _run(self) -> None:
        with self.lock:
            while not self._stopping:
                try:
                    self._step()
                except Exception:
                    log.exception("the scheduler could not take a step")
                if not self._stopping:
                    self._wake.wait(1.0)

    def _step(self) -> None:
        submitted, self._submitted = self._submitted, []
        for job in submitted:
            for run in self._journal.make_runnable(job):
                self._enqueue(run)
        while self._waiting and len(self._running) < self._slots:
            _, _, _, job_id = heapq.heappop(self._waiting)
            job = self._store.jobs[job_id]
            if job.status is Status.RUNNABLE and job_id not in self._running:
                self._running[job_id] = None
                self._journal.move(job, Status.STARTING)
                threading.Thread(target=self._attempt, args=(job,), name=f"batch-{job_id}", daemon=True).start()

    def _enqueue(self, job: Job) -> None:
        submission = job.submission
        queue = self._store.queues.get(submission.queue_name)
        priority = 1 if queue is None else queue.priority
        heapq.heappush(self._waiting, (-priority, submission.sequence, job.index or 0, job.job_id))

    def _attempt(self, job: Job) -> None:
        """Run one attempt in a thread of its own; takes the lock."""
        stream = job.submission.log_stream(uuid.uuid4().hex)
        with self.lock:
            job.container = ContainerState(log_stream=stream)
        try:
            outcome = self._containers.run(job, stream, lambda attempt: self._started(job, attempt))
        except Exception:
            log.exception("the attempt of job %s broke", job.job_id)
            outcome = Outcome(status_reason=DID_NOT_START)
        with self.lock:
            if self._stopping and outcome.exit_code != 0 and job.termination is None:
                interruption = job.submission.interruption
                outcome = Outcome(outcome.exit_code, outcome.reason, interruption)
            self._attempt_ended(job, outcome)
            del self._running[job.job_id]
            self._wake.notify_all()

    def _started(self, job: Job, attempt: Attempt) -> None:
        """Note the process of an attempt; takes the lock."""
        with self.lock:
            job.process = attempt.process
            job.started_at = now_ms()
            self._running[job.job_id] = attempt
            self._journal.move(job, Status.RUNNING)
            if self._stopping or job.termination is not None:
                attempt.terminate()

    def _attempt_ended(self, job: Job, outcome: Outcome) -> None:
        job.process = None
        job.container = ContainerState(job.container.log_stream, outcome.exit_code, outcome.reason)
        job.attempts.append(PastAttempt(job.container, job.started_at, now_ms(), outcome.status_reason))
        termination, job.termination = job.termination, None
        retry = outcome.status_reason != TIMED_OUT and should_retry(
            job.submission.retry_strategy,
            len(job.attempts),
            exit_code=outcome.exit_code,
            reason=outcome.reason,
            status_reason=outcome.status_reason,
        )
        if termination is not None:
            self._journal.end(job, Status.FAILED, termination)
        elif outcome.exit_code == 0:
            self._journal.end(job, Status.SUCCEEDED, outcome.status_reason)
        elif retry:
            job.started_at = None
            self._journal.move(job, Status.RUNNABLE, outcome.status_reason)
            self._enqueue(job)
        else:
            self._journal.end(job, Status.FAILED, outcome.status_reason)
