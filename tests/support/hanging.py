"""What the jobs of a stack are at when a test has waited in vain: where each thread is, and the end of the log."""

import signal
import time
from contextlib import suppress
from urllib.parse import quote

import psutil

from infra.local.api import Api
from tests.support.job_processes import job_processes

LINES, _PAGES = 250, 100
_PAUSE_SECONDS = 2.0
"""Until the lines that a job writes on SIGUSR1 are in its log."""


def jobs_under_way(api: Api, tracking_uri: str) -> str:
    """Return the last lines of the logs of jobs that have processes, with the stacks of their threads."""
    jobs = [each for each in job_processes() if each.environment.get("MLFLOW_TRACKING_URI") == tracking_uri]
    for job in jobs:
        with suppress(psutil.NoSuchProcess):
            job.process.send_signal(signal.SIGUSR1)
    time.sleep(_PAUSE_SECONDS if jobs else 0)
    told = ["\n".join([f"{job.job_id}, process {job.process.pid}", *_log(api, job.job_id)[-LINES:]]) for job in jobs]
    return "\n\n".join(told) or "no job has a process"


def _log(api: Api, job_id: str) -> list[str]:
    lines: list[str] = []
    cursor = ""
    for _ in range(_PAGES):
        answer = api.send("GET", f"/train/jobs/{job_id}/logs{cursor}").json
        lines += [line["message"] for line in answer.get("lines", ())]
        if not answer.get("lines") or not answer.get("next_cursor"):
            break
        cursor = f"?cursor={quote(answer['next_cursor'])}"
    return lines
