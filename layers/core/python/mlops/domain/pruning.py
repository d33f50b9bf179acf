"""Decide whether a run of a sweep is ended early, because it is worse than the median of the others at its epoch.

This is the median stopping rule of Google Vizier (Golovin et al., KDD 2017). A run that was pruned still counts, with
its last value: otherwise the survivors of each epoch would be halved again at the next one.
"""

from collections.abc import Iterable, Mapping
from statistics import median

from mlops.domain.job import Job, JobStatus

FIRST_EPOCH = 3
"""No run is pruned earlier: the first epochs say little."""
FEWEST_OTHERS = 4
"""Others that a run is compared with, at least."""
_COUNTED = (JobStatus.RUNNING, JobStatus.COMPLETED, JobStatus.PRUNED)

Curve = Mapping[int, float]
"""By epoch, from 1, how good a model is on the rows for validation; higher is better."""


def reason_to_prune(curve: Curve, others: Iterable[Job]) -> str | None:
    """Return why a run is to end at the last epoch of its curve; None if it goes on.

    Args:
        curve: Of the run. Its best value counts, because a single epoch can be a bad one.
        others: The other runs of the sweep.
    """
    epoch = max(curve, default=0)
    if epoch < FIRST_EPOCH:
        return None
    values = [value for other in others if (value := _value_at(epoch, other)) is not None]
    if len(values) < FEWEST_OTHERS:
        return None
    best, middle = max(curve.values()), median(values)
    if best >= middle:
        return None
    return (
        f"pruned at epoch {epoch}: on the rows for validation its best epoch has {best:.6g}, and the median of "
        f"{len(values)} other runs at this epoch is {middle:.6g} (higher is better)"
    )


def _value_at(epoch: int, run: Job) -> float | None:
    """Return the value of a run at an epoch; that of its last one if it has ended before."""
    reached = [at for at in run.curve if at <= epoch]
    has_come_so_far = run.status.has_ended or max(run.curve, default=0) >= epoch
    if run.status not in _COUNTED or not reached or not has_come_so_far:
        return None
    return run.curve[max(reached)]
