"""A run of a sweep that chooses among its runs: how good it is after each epoch, and whether it goes on."""

from collections.abc import Callable, Mapping, Sequence

from mlops.domain.job import Job, JobStatus
from mlops.domain.objective import Direction, Objective
from mlops.domain.pruning import reason_to_prune
from trainer.errors import Pruned, TrainingError

LOSS = Objective("val_loss", Direction.MINIMISE)
"""What every model type reports."""


class Trial:
    """What a run is told of its sweep.

    The run sets rows for validation aside, and is ranked on them.

    Args:
        job_id: Of the run.
        prunes: Whether the sweep ends runs that are worse than the others.
        read: Returns the records of runs by their ids, as far as they can be read. By default none: then the run is not
            compared, and is cancelled by its process alone.
        sweep: The ids of all runs of the sweep.
        curve: What an earlier attempt of the run has measured.
    """

    def __init__(
        self,
        job_id: str,
        prunes: bool = False,
        read: Callable[[Sequence[str]], Sequence[Job]] = lambda _: (),
        sweep: Sequence[str] = (),
        curve: Mapping[int, float] | None = None,
    ) -> None:
        self._job_id = job_id
        self._prunes = prunes
        self._read = read
        self._watched = list(sweep) if prunes else [job_id]
        self._curve = dict(curve or {})
        self._objective: Objective | None = None

    @property
    def curve(self) -> dict[int, float] | None:
        """By epoch, how good the model is on the rows for validation; None if the sweep does not prune."""
        return self._curve if self._prunes else None

    def begin(self, objective: Objective) -> None:
        """The training begins; `objective` is what the sweep ranks its runs by."""
        self._objective = objective

    def measured(self, epoch: int, metrics: Mapping[str, float]) -> dict[int, float] | None:
        """Add the end of an epoch to the curve, and return the curve."""
        # A metric of a plug-in's own has its own name. The loss stands in for what is not measured after each epoch.
        candidates = [self._objective.on_validation, self._objective] if self._objective else []
        found = next((each for each in [*candidates, LOSS] if each.name in metrics), None)
        score = found.score(metrics) if found else None
        # An attempt that begins again measures the epochs of the one before once more.
        self._curve = {at: value for at, value in self._curve.items() if at < epoch}
        if score is not None:
            self._curve[epoch] = score
        return self.curve

    def check(self) -> None:
        """Compare the run with the others.

        Raises:
            Pruned: It is worse.
            TrainingError: It was cancelled.
        """
        runs = {run.job_id: run for run in self._read(self._watched)}
        own = runs.pop(self._job_id, None)
        if own is not None and own.status is JobStatus.CANCELLED:
            raise TrainingError("cancelled through the API")
        if self._prunes and (reason := reason_to_prune(self._curve, runs.values())):
            raise Pruned(reason)
