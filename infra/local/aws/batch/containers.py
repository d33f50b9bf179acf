"""One attempt of a job from its start to its end, with the variables that AWS Batch gives a container."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.local.aws.batch.jobs import Job
from infra.local.aws.batch.journal import Outlet
from infra.local.aws.batch.rules import threads_per_job
from infra.local.aws.batch.runner import Attempt, CannotStart, Image
from infra.local.guard.identity import token_of

EXITED = "Essential container in task exited"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
DID_NOT_START = "Task failed to start"
TIMED_OUT = "Job attempt duration exceeded timeout"


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended; `reason` is of the container, `status_reason` of the job."""

    exit_code: int | None = None
    reason: str = ""
    status_reason: str = EXITED


class Containers:
    """Runs attempts in folders of their own below `scratch`, which starts empty."""

    def __init__(self, image: Image, outlet: Outlet, *, slots: int, scratch: Path) -> None:
        self._image, self._outlet, self._slots, self._scratch = image, outlet, slots, scratch

    def clear(self) -> None:
        """Remove the folders that an earlier process left."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def run(self, job: Job, stream: str, started: Callable[[Attempt], None]) -> Outcome:
        """Run one attempt to its end; `started` is called with the process."""
        group = job.submission.log_group
        self._outlet.write_log(group, stream, ())
        folder = self._scratch / job.job_id.replace(":", "-")
        try:
            attempt = Attempt(
                job.submission.container["command"],
                self._variables(job),
                folder,
                lambda lines: self._outlet.write_log(group, stream, lines),
                self._image.python,
            )
            started(attempt)
            return _wait(attempt, job.submission.timeout_seconds, job.submission.memory_bytes)
        except CannotStart as error:
            return Outcome(reason=str(error), status_reason=DID_NOT_START)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _variables(self, job: Job) -> dict[str, str]:
        """The variables of a container of this job, in AWS Batch's precedence: its own AWS_BATCH_* win."""
        submission = job.submission
        threads = threads_per_job(os.cpu_count() or 1, self._slots, submission.vcpus)
        given = {pair["name"]: pair["value"] for pair in submission.container["environment"]}
        own = {
            "AWS_BATCH_JOB_ID": job.job_id,
            "AWS_BATCH_JOB_ATTEMPT": str(len(job.attempts) + 1),
            "AWS_BATCH_JQ_NAME": submission.queue_name,
            "AWS_BATCH_CE_NAME": submission.environment_name,
            # Stands for the signature of the job's role.
            "MLFLOW_TRACKING_TOKEN": token_of(submission.container.get("jobRoleArn")),
        }
        if job.parent is not None:
            own["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.index)
            own["AWS_BATCH_JOB_ARRAY_SIZE"] = str(job.parent.array_size)
        return self._image.container_environment({"OMP_NUM_THREADS": str(threads), **given, **own})


def _wait(attempt: Attempt, seconds: int | None, memory_bytes: int | None) -> Outcome:
    timed_out = threading.Event()

    def time_out() -> None:
        timed_out.set()
        attempt.terminate()

    exit_code = attempt.wait(None if seconds is None else time.monotonic() + seconds, time_out, memory_bytes)
    reason = OUT_OF_MEMORY if attempt.ran_out_of_memory else ""
    return Outcome(exit_code, reason, status_reason=TIMED_OUT if timed_out.is_set() else EXITED)
