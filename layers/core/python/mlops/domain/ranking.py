"""Which run of a sweep is the best."""

from collections.abc import Iterable

from mlops.domain.job import Job, JobStatus, finite

RANKED_BY = "accuracy"


def score(run: Job) -> float | None:
    """What a run is ranked by; None unless it was completed with a finite accuracy."""
    return finite(run.metrics, RANKED_BY) if run.status is JobStatus.COMPLETED else None


def ranked(runs: Iterable[Job]) -> list[Job]:
    """The best accuracy first; runs that failed or have none come last, in the order of their numbers."""

    def key(run: Job) -> tuple[bool, float, str]:
        accuracy = score(run)
        return (accuracy is None, -(accuracy or 0.0), run.job_id)

    return sorted(runs, key=key)


def best_of(runs: Iterable[Job]) -> Job | None:
    """The first of the ranking, if it has a score."""
    first = next(iter(ranked(runs)), None)
    return first if first is not None and score(first) is not None else None
