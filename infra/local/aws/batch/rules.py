"""What AWS Batch decides from data alone: retries, array results, parameters, names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ACTIVE = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
ENDED = ("SUCCEEDED", "FAILED")
STATUSES = ACTIVE + ENDED

_PARAMETER = re.compile(r"Ref::([A-Za-z0-9_-]+)")


def should_retry(
    strategy: Mapping[str, Any], attempts_made: int, *, exit_code: int | None, reason: str, status_reason: str
) -> bool:
    """Whether a failed attempt is followed by another one.

    `evaluateOnExit` is read in order and the first entry whose every condition holds decides; when none does, the
    job is retried. `attempts` bounds it all. A pattern may end in `*`; an absent value is the empty string.
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
    """Why AWS would refuse this retry strategy, or None."""
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


def array_status(summary: Mapping[str, int]) -> str | None:
    """An array parent's end by its children's: FAILED if any failed, SUCCEEDED if all succeeded, None before."""
    if any(summary.get(status, 0) for status in ACTIVE):
        return None
    return "FAILED" if summary.get("FAILED", 0) else "SUCCEEDED"


def array_size_error(size: Any) -> str | None:
    """Why AWS would refuse an array of `size` children, or None."""
    if not isinstance(size, int) or isinstance(size, bool) or not 2 <= size <= 10_000:
        return "arrayProperties.size must be between 2 and 10000"
    return None


def child_id(parent_id: str, index: int) -> str:
    return f"{parent_id}:{index}"


def substitute(command: Sequence[str], parameters: Mapping[str, str]) -> list[str]:
    """Replace `Ref::name` by the parameter's value; an unknown name stays as it stands, as in AWS Batch."""
    return [_PARAMETER.sub(lambda found: parameters.get(found[1], found[0]), word) for word in command]


def merge_environment(*layers: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Name/value pairs of the layers, later ones winning, in order of first appearance."""
    merged: dict[str, str] = {}
    for layer in layers:
        merged.update((pair["name"], pair["value"]) for pair in layer if "name" in pair and "value" in pair)
    return [{"name": name, "value": value} for name, value in merged.items()]


def exit_code_of(returncode: int) -> int:
    """A container's exit code for a process's return code: 128 + n for signal n."""
    return 128 - returncode if returncode < 0 else returncode


def threads_per_job(cores: int, slots: int, vcpus: float | None) -> int:
    """Numeric threads for a job: its share of the cores when all slots are taken, at most its vCPUs.

    The same whatever else runs: sums come out differently with another number of threads, and a run must repeat.
    """
    share = max(1, cores // max(1, slots))
    return share if vcpus is None else max(1, min(share, round(vcpus)))
