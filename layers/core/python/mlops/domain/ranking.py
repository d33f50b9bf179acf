"""Ranks the runs of a sweep by its objective."""

from collections.abc import Iterable

from mlops.domain import objective as objectives
from mlops.domain.job import Job, JobStatus, Record, Sweep
from mlops.domain.objective import Objective


def objective_of(record: Record, runs: Iterable[Job]) -> Objective | None:
    """Return the objective of a sweep with these runs, or of a single one; None if it is not known."""
    if isinstance(record, Job) and record.is_code_run and not record.request.get("objective"):
        return None  # what own code measures is not known
    objective = objectives.of_runs(record.request, (run.metrics for run in runs))
    by_validation = isinstance(record, Sweep) and record.ranks_by_validation
    return objective.on_validation if objective and by_validation else objective


def score(run: Job, objective: Objective | None) -> float | None:
    """Return a number that is higher for better runs; None if the run has not completed, or lacks the objective."""
    return objective.score(run.metrics) if objective and run.status is JobStatus.COMPLETED else None


def ranked(runs: Iterable[Job], objective: Objective | None) -> list[Job]:
    """Sort runs by the objective, the best first. Runs without a score come last, in the order of their numbers."""

    def key(run: Job) -> tuple[bool, float, str]:
        points = score(run, objective)
        return (points is None, -(points or 0.0), run.job_id)

    return sorted(runs, key=key)


def best_of(runs: Iterable[Job], objective: Objective | None) -> Job | None:
    """Return the run with the best score; None if no run has one."""
    first = next(iter(ranked(runs, objective)), None)
    return first if first is not None and score(first, objective) is not None else None


def unranked(runs: Iterable[Job], objective: Objective | None) -> dict[str, str]:
    """Return why runs that completed or were pruned come last without a rank, by job id."""
    ended = (run for run in runs if run.status in (JobStatus.COMPLETED, JobStatus.PRUNED))
    return {run.job_id: _reason(run, objective) for run in ended if score(run, objective) is None}


def _reason(run: Job, objective: Objective | None) -> str:
    if run.status is JobStatus.PRUNED:
        return run.error or "it was pruned"
    if objective is None:
        return "this version of the platform does not know the objective of its request"
    value = run.metrics.get(objective.name)
    return f"it has no {objective.name}" if value is None else f"its {objective.name} is {value}, not a finite number"
