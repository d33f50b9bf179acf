"""Runs by what people call them: their ids or the first characters of these, their names, or the ids of their jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_client.errors import BadInput

if TYPE_CHECKING:
    from mlops_client.client import Client

MOST_RUNS = 1000
"""Of an experiment, that are searched by name."""


def find_runs(client: Client, identifiers: Sequence[str], experiment: str | None) -> tuple[str, list[str]]:
    """Return the name of the experiment that has all these runs, and their ids.

    Args:
        client: The client.
        identifiers: Run ids or their first characters, run names, or job ids.
        experiment: Name or id of their experiment; None looks into all.

    Raises:
        BadInput: There is no such run, or the runs are of several experiments.
    """
    jobs = {identifier: client.job(identifier) for identifier in identifiers if identifier.startswith("job_")}
    for identifier, job in jobs.items():
        if job.run_id is None:
            raise BadInput(f"{identifier} has no run yet: it is {job.status}")
    if jobs and len(jobs) == len(identifiers) and len({job.experiment_name for job in jobs.values()}) == 1:
        return next(iter(jobs.values())).experiment_name, [str(jobs[each].run_id) for each in identifiers]
    experiments = [experiment] if experiment else list(dict.fromkeys(job.experiment_name for job in jobs.values()))
    if not experiments:
        experiments = [candidate.name for candidate in client.experiments(limit=200) if candidate.total_runs]
    wanted = [str(jobs[each].run_id) if each in jobs else each for each in identifiers]
    missing = list(identifiers)
    for name in experiments:
        runs = client.runs(name, limit=MOST_RUNS)
        matches = [
            next((run.run_id for run in runs if each == run.run_name or run.run_id.startswith(each)), None)
            for each in wanted
        ]
        if all(matches):
            return name, [match for match in matches if match]
        unknown = [identifier for identifier, match in zip(identifiers, matches, strict=True) if match is None]
        missing = unknown if len(unknown) < len(missing) else missing
    where = f"the experiment {experiment!r}" if experiment else "one experiment"
    raise BadInput(
        f"{', '.join(missing)}: not found in {where} with the others; `mlops runs EXPERIMENT` lists its runs"
        if len(identifiers) > 1
        else f"{missing[0]}: there is no such run; `mlops runs EXPERIMENT` lists the runs of an experiment"
    )
