"""Ranks the runs of a sweep."""

from collections.abc import Iterable

from mlops.domain.job import Job, JobStatus, finite

RANKED_BY = "accuracy"


def score(run: Job) -> float | None:
    """Return the accuracy of a completed run; None if it has not completed, or has no finite accuracy."""
    return finite(run.metrics, RANKED_BY) if run.status is JobStatus.COMPLETED else None


def ranked(runs: Iterable[Job]) -> list[Job]:
    """Sort runs by accuracy, the best first. Runs without a score come last, in the order of their numbers."""

    def key(run: Job) -> tuple[bool, float, str]:
        accuracy = score(run)
        return (accuracy is None, -(accuracy or 0.0), run.job_id)

    return sorted(runs, key=key)


def best_of(runs: Iterable[Job]) -> Job | None:
    """Return the run with the best score; None if no run has one."""
    first = next(iter(ranked(runs)), None)
    return first if first is not None and score(first) is not None else None
