"""What AWS Batch decides from data alone: retries, the results of arrays, names and limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The states of a job, in order."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def has_ended(self) -> bool:
        return self in (Status.SUCCEEDED, Status.FAILED)

    @property
    def is_before_queue(self) -> bool:
        """Whether the job has not reached its queue yet."""
        return self in (Status.SUBMITTED, Status.PENDING)


def should_retry(
    strategy: Mapping[str, Any], attempts_made: int, *, exit_code: int | None, reason: str, status_reason: str
) -> bool:
    """Say whether another attempt follows a failed one.

    The first entry of `evaluateOnExit` whose conditions all hold decides. If none does, the job is retried. `attempts`
    limits the number of attempts in every case. A pattern may end in `*`; an absent value is the empty string.
    """
    if attempts_made >= int(strategy.get("attempts") or 1):
        return False
    seen = {
        "onExitCode": "" if exit_code is None else str(exit_code),
        "onReason": reason,
        "onStatusReason": status_reason,
    }
    for entry in strategy.get("evaluateOnExit") or ():
        conditions = [(entry[name], value) for name, value in seen.items() if name in entry]
        if all(_matches(pattern, value) for pattern, value in conditions):
            return str(entry["action"]).upper() == "RETRY"
    return True


def _matches(pattern: str, value: str) -> bool:
    if pattern.endswith("*"):
        return value.startswith(pattern[:-1])
    return value == pattern


def retry_strategy_error(strategy: Mapping[str, Any]) -> str | None:
    """Say why AWS would refuse this retry strategy; None for one that it takes."""
    attempts = strategy.get("attempts", 1)
    if not isinstance(attempts, int) or not 1 <= attempts <= 10:
        return "retryStrategy.attempts must be between 1 and 10"
    entries = strategy.get("evaluateOnExit") or ()
    if len(entries) > 5:
        return "retryStrategy.evaluateOnExit can have at most 5 entries"
    for entry in entries:
        if str(entry.get("action", "")).upper() not in ("RETRY", "EXIT"):
            return "retryStrategy.evaluateOnExit action must be RETRY or EXIT"
        if not re.fullmatch(r"[0-9]*\*?", entry.get("onExitCode", "")):
            return "retryStrategy.evaluateOnExit onExitCode can contain only digits and a final asterisk"
    return None


def timeout_error(timeout: Mapping[str, Any]) -> str | None:
    """Say why AWS would refuse this timeout; None for one that it takes."""
    seconds = timeout.get("attemptDurationSeconds", 60)
    if not isinstance(seconds, int) or seconds < 60:
        return "timeout.attemptDurationSeconds must be at least 60"
    return None


def array_status(summary: Mapping[Status, int]) -> Status | None:
    """Derive the end of an array from its children: FAILED if any failed, else SUCCEEDED; None while any is active."""
    if any(count for status, count in summary.items() if not status.has_ended):
        return None
    return Status.FAILED if summary.get(Status.FAILED, 0) else Status.SUCCEEDED


def array_size_error(size: Any) -> str | None:
    """Say why AWS would refuse an array of `size` children; None for a size that it takes."""
    if not isinstance(size, int) or isinstance(size, bool) or not 2 <= size <= 10_000:
        return "arrayProperties.size must be between 2 and 10000"
    return None


def child_id(parent_id: str, index: int) -> str:
    """Name a child of an array job; its ARN is made in the same way."""
    return f"{parent_id}:{index}"


def merge_environment(*layers: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Join the name and value pairs of the layers, in order of first appearance; later layers win."""
    merged: dict[str, str] = {}
    for layer in layers:
        merged.update((pair["name"], pair["value"]) for pair in layer if "name" in pair and "value" in pair)
    return [{"name": name, "value": value} for name, value in merged.items()]


def exit_code_of(returncode: int) -> int:
    """Give the exit code of a container for the return code of a process: 128 + n for signal n."""
    return 128 - returncode if returncode < 0 else returncode


def threads_per_job(cores: int, slots: int, vcpus: float | None) -> int:
    """Give a job its share of the cores when all slots are taken, at most its vCPUs, as numeric threads.

    The number does not depend on what else runs: sums differ with the number of threads, and a run must repeat.
    """
    share = max(1, cores // max(1, slots))
    return share if vcpus is None else max(1, min(share, round(vcpus)))
