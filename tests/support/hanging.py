"""What the jobs of a stack are at when a test has waited in vain: where each thread is, and the end of the log."""

import os
import signal
import time
from urllib.parse import quote

import psutil

from infra.local.api import Api

LINES, _PAGES = 250, 100
_PAUSE_SECONDS = 2.0
"""Until the lines that a job writes on SIGUSR1 are in its log."""


def jobs_under_way(api: Api, tracking_uri: str) -> str:
    """Return the last lines of the logs of jobs that have processes, with the stacks of their threads."""
    jobs = dict(_processes(tracking_uri))
    for process in jobs.values():
        os.kill(process.pid, signal.SIGUSR1)
    time.sleep(_PAUSE_SECONDS if jobs else 0)
    told = []
    for job_id, process in jobs.items():
        told.append("\n".join([f"{job_id}, process {process.pid}, {process.status()}", *_log(api, job_id)[-LINES:]]))
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


def _processes(tracking_uri: str) -> list[tuple[str, psutil.Process]]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            if "trainer" in (process.info["cmdline"] or ()):
                environment = process.environ()
                if environment.get("MLFLOW_TRACKING_URI") == tracking_uri and "JOB_ID" in environment:
                    found.append((environment["JOB_ID"], process))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
