"""A job's way from SUBMITTED to its end: waiting, starting, retrying, and the results of arrays."""

from __future__ import annotations

import heapq
import logging
import os
import shutil
import signal
import sqlite3
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from infra.local.aws.batch import jobs as records
from infra.local.aws.batch.rules import ENDED, array_status, child_id, should_retry, threads_per_job
from infra.local.aws.batch.runner import STOP_SECONDS, Attempt, CannotStart, Image
from infra.local.aws.batch.store import Record, Store
from infra.local.processes import Process

log = logging.getLogger("batch")


class Outlet(Protocol):
    """Where the service's events and its jobs' output go."""

    def state_changed(self, detail: Record) -> None:
        """Publish a "Batch Job State Change" event with this detail."""

    def write_log(self, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        """Append (epoch milliseconds, text) lines; with no lines, only make the stream."""


class Scheduler:
    """Runs at most `slots` jobs at a time, by queue priority and then in order of submission.

    Every method may be called from any thread. Records change only under `lock`.
    """

    def __init__(self, store: Store, image: Image, outlet: Outlet, *, slots: int, scratch: Path) -> None:
        self.lock = threading.RLock()
        self._store = store
        self._image = image
        self._outlet = outlet
        self._slots = slots
        self._scratch = scratch
        self._wake = threading.Condition(self.lock)
        self._arrived: list[str] = []
        self._waiting: list[tuple[int, int, int, str]] = []
        self._running: dict[str, Attempt | None] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="batch-scheduler", daemon=True)

    def start(self) -> None:
        """Take up where the last process left off, then schedule."""
        shutil.rmtree(self._scratch, ignore_errors=True)
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

    def submit(self, job: Record, children: Sequence[Record]) -> None:
        with self.lock:
            self._store.put_all("job", [(each["jobId"], each) for each in (job, *children)])
            self._arrived.append(job["jobId"])
            self._wake.notify_all()

    def cancel(self, job: Record, reason: str) -> None:
        """End the job if it has not started; a job that runs goes on."""
        with self.lock:
            for each in self.leaves_of(job):
                if each["status"] in ("SUBMITTED", "PENDING", "RUNNABLE"):
                    each["isCancelled"] = True
                    self._end(each, "FAILED", reason)

    def terminate(self, job: Record, reason: str) -> None:
        """End the job whatever it does: SIGTERM first, SIGKILL 30 s later."""
        with self.lock:
            for each in self.leaves_of(job):
                if each["status"] in ENDED:
                    continue
                each["isTerminated"] = True
                if each["jobId"] in self._running:
                    each["_termination"] = reason
                    self._save(each)
                    attempt = self._running[each["jobId"]]
                    if attempt is not None:
                        attempt.terminate()
                else:
                    self._end(each, "FAILED", reason)

    def parent_of(self, job: Record) -> Record | None:
        return self._store.jobs[job["_parent"]] if "_parent" in job else None

    # Below, the lock is held by the caller, except where a method takes it.

    def leaves_of(self, job: Record) -> list[Record]:
        size = job.get("arrayProperties", {}).get("size")
        if size is None:
            return [job]
        return [self._store.jobs[child_id(job["jobId"], index)] for index in range(size)]

    def _recover(self, job: Record) -> None:
        status = job["status"]
        if status in ("STARTING", "RUNNING"):
            process = Process.from_record(job.pop("_process", None))
            if process is not None:
                process.stop(5, first=signal.SIGKILL)
            self._attempt_ended(job, None, "", records.resolve(job, self.parent_of(job))["_interruption"])
        elif "_parent" not in job and status in ("SUBMITTED", "PENDING"):
            self._arrived.append(job["jobId"])
        elif status == "RUNNABLE":
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
        arrived, self._arrived = self._arrived, []
        for job_id in arrived:
            job = self._store.jobs.get(job_id)
            if job is not None and job["status"] in ("SUBMITTED", "PENDING"):
                self._admit(job)
        while self._waiting and len(self._running) < self._slots:
            _, _, _, job_id = heapq.heappop(self._waiting)
            job = self._store.jobs.get(job_id)
            if job is None or job["status"] != "RUNNABLE" or job_id in self._running:
                continue
            self._running[job_id] = None
            self._move(job, "STARTING")
            threading.Thread(target=self._attempt, args=(job,), name=f"batch-{job_id}", daemon=True).start()

    def _admit(self, job: Record) -> None:
        if job["dependsOn"]:
            found = [self._store.jobs.get(dependency["jobId"]) for dependency in job["dependsOn"]]
            if any(other is None or other["status"] == "FAILED" for other in found):
                for each in self.leaves_of(job):
                    self._end(each, "FAILED", "Dependent Job failed")
                return
            if any(other is not None and other["status"] != "SUCCEEDED" for other in found):
                if job["status"] == "SUBMITTED":
                    self._move(job, "PENDING")
                self._arrived.append(job["jobId"])
                return
        leaves = self.leaves_of(job)
        if leaves[0] is not job and job["status"] == "SUBMITTED":
            self._move(job, "PENDING")
        runnable = [each for each in leaves if each["status"] in ("SUBMITTED", "PENDING")]
        for each in runnable:
            self._set_status(each, "RUNNABLE")
            self._enqueue(each)
        # One transaction, however many children the array has.
        self._save(job, *runnable)
        for each in runnable:
            self._outlet.state_changed(records.describe(each, self.parent_of(each)))

    def _enqueue(self, job: Record) -> None:
        whole = records.resolve(job, self.parent_of(job))
        queue = self._store.queues.get(whole["_queue_name"], {})
        index = job.get("arrayProperties", {}).get("index", 0)
        heapq.heappush(self._waiting, (-int(queue.get("priority", 1)), whole["_sequence"], index, job["jobId"]))

    def _attempt(self, job: Record) -> None:
        """Run one attempt in a thread of its own."""
        job_id = job["jobId"]
        exit_code: int | None = None
        reason, status_reason = "", "Essential container in task exited"
        try:
            with self.lock:
                whole = records.resolve(job, self.parent_of(job))
                group, stream = records.log_stream_of(whole, uuid.uuid4().hex)
                job["container"] = records.with_attempt(job["container"], {"logStreamName": stream})
                folder = self._scratch / job_id.replace(":", "-")
                environment = self._environment(whole)
            self._outlet.write_log(group, stream, ())
            try:
                attempt = Attempt(
                    whole["container"]["command"],
                    environment,
                    folder,
                    lambda lines: self._outlet.write_log(group, stream, lines),
                )
            except CannotStart as error:
                reason = str(error)
                status_reason = "Task failed to start"
            else:
                exit_code, timed_out = self._watch(job, attempt, whole)
                if timed_out:
                    status_reason = "Job attempt duration exceeded timeout"
            shutil.rmtree(folder, ignore_errors=True)
        except Exception:
            log.exception("the attempt of job %s broke", job_id)
            status_reason = "Task failed to start"
        with self.lock:
            if self._stopping and exit_code != 0 and "_termination" not in job:
                status_reason = records.resolve(job, self.parent_of(job))["_interruption"]
            job.pop("_process", None)
            self._attempt_ended(job, exit_code, reason, status_reason)
            del self._running[job_id]
            self._wake.notify_all()

    def _watch(self, job: Record, attempt: Attempt, whole: Record) -> tuple[int, bool]:
        """(exit code, whether the time ran out) of a started attempt."""
        timed_out = threading.Event()

        def out_of_time() -> None:
            timed_out.set()
            attempt.terminate()

        with self.lock:
            job["_process"] = asdict(attempt.process)
            job["startedAt"] = _now_ms()
            self._running[job["jobId"]] = attempt
            self._move(job, "RUNNING")
            if self._stopping or "_termination" in job:
                attempt.terminate()
        limit = (whole.get("timeout") or {}).get("attemptDurationSeconds")
        return attempt.wait(None if limit is None else time.monotonic() + limit, out_of_time), timed_out.is_set()

    def _environment(self, whole: Record) -> dict[str, str]:
        """The variables of a container of this job, in AWS Batch's precedence: its own AWS_BATCH_* win."""
        cores = os.cpu_count() or 1
        threads = threads_per_job(cores, self._slots, records.vcpus_of(whole))
        given = {pair["name"]: pair["value"] for pair in whole["container"]["environment"]}
        own = {
            "AWS_BATCH_JOB_ID": whole["jobId"],
            "AWS_BATCH_JOB_ATTEMPT": str(len(whole["attempts"]) + 1),
            "AWS_BATCH_JQ_NAME": whole["_queue_name"],
            "AWS_BATCH_CE_NAME": whole["_environment_name"],
        }
        if "_parent" in whole:
            own["AWS_BATCH_JOB_ARRAY_INDEX"] = str(whole["arrayProperties"]["index"])
            own["AWS_BATCH_JOB_ARRAY_SIZE"] = str(self._store.jobs[whole["_parent"]]["arrayProperties"]["size"])
        return self._image.container_environment({"OMP_NUM_THREADS": str(threads), **given, **own})

    def _attempt_ended(self, job: Record, exit_code: int | None, reason: str, status_reason: str) -> None:
        container: Record = {}
        if "logStreamName" in job["container"]:
            container["logStreamName"] = job["container"]["logStreamName"]
        if exit_code is not None:
            container["exitCode"] = exit_code
        if reason:
            container["reason"] = reason
        job["container"] = records.with_attempt(job["container"], container)
        ended = {"container": container, "stoppedAt": _now_ms(), "statusReason": status_reason}
        if "startedAt" in job:
            ended["startedAt"] = job["startedAt"]
        job["attempts"].append(ended)
        termination = job.pop("_termination", None)
        whole = records.resolve(job, self.parent_of(job))
        retry = should_retry(
            whole["retryStrategy"],
            len(job["attempts"]),
            exit_code=exit_code,
            reason=reason,
            status_reason=status_reason,
        )
        if termination is not None:
            self._end(job, "FAILED", termination)
        elif exit_code == 0:
            self._end(job, "SUCCEEDED", status_reason)
        elif retry and status_reason != "Job attempt duration exceeded timeout":
            job.pop("startedAt", None)
            self._move(job, "RUNNABLE", status_reason)
            self._enqueue(job)
        else:
            self._end(job, "FAILED", status_reason)

    def _end(self, job: Record, status: str, reason: str) -> None:
        job["stoppedAt"] = _now_ms()
        self._move(job, status, reason)
        parent = self.parent_of(job)
        outcome = None if parent is None else array_status(parent["arrayProperties"]["statusSummary"])
        if parent is not None and outcome is not None and parent["status"] not in ENDED:
            parent["stoppedAt"] = job["stoppedAt"]
            failed = "Array Child Job failed"
            self._move(parent, outcome, failed if outcome == "FAILED" else "")

    def _move(self, job: Record, status: str, reason: str = "") -> None:
        self._set_status(job, status, reason)
        self._save(job)
        self._outlet.state_changed(records.describe(job, self.parent_of(job)))

    def _set_status(self, job: Record, status: str, reason: str = "") -> None:
        parent = self.parent_of(job)
        if parent is not None:
            counts = parent["arrayProperties"]["statusSummary"]
            counts[job["status"]] -= 1
            counts[status] += 1
        job["status"] = status
        if reason:
            job["statusReason"] = reason
        else:
            job.pop("statusReason", None)

    def _save(self, *jobs: Record) -> None:
        """Write jobs and the parents that count them. On a full disk the jobs still go on, and are gone with us."""
        parents = [parent for parent in map(self.parent_of, jobs[-1:]) if parent is not None]
        try:
            self._store.put_all("job", [(each["jobId"], each) for each in (*jobs, *parents)])
        except sqlite3.Error as error:
            log.error("the state of the jobs cannot be saved: %s", error)


def _now_ms() -> int:
    return int(time.time() * 1000)
