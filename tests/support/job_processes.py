"""The processes that stand for the containers of jobs, found by their variables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psutil

from tests.support.waiting import eventually


@dataclass(frozen=True)
class JobProcess:
    job_id: str
    process: psutil.Process
    environment: Mapping[str, str]


def job_processes() -> Iterator[JobProcess]:
    """Yield the processes of trainers, also of people's own code, of all stacks on this machine."""
    for process in psutil.process_iter(["cmdline"]):
        if "trainer" not in (process.info["cmdline"] or ()):
            continue
        try:
            environment = process.environ()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if job_id := _job_id(environment):
            yield JobProcess(job_id, process, environment)


def process_of(job_id: str) -> psutil.Process:
    """Wait for the process that works on a job."""
    return eventually(
        lambda: next((each.process for each in job_processes() if each.job_id == job_id), None), pause=0.1
    )


def runs(pid: int) -> bool:
    """Whether a process still does something: what has ended may wait for the machine's first process to notice."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _job_id(environment: Mapping[str, str]) -> str | None:
    """Return the id of the job; a run of a sweep knows its own from its place in Batch's array."""
    index = environment.get("AWS_BATCH_JOB_ARRAY_INDEX")
    if index is None:
        return environment.get("JOB_ID")
    first = environment.get("SWEEP_ID", "sweep_0").removeprefix("sweep_")
    return f"job_{int(first) + int(index):06d}"
