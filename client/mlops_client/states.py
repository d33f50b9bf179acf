"""The states of jobs, sweeps and batch predictions."""

ENDED = frozenset({"completed", "failed", "cancelled", "pruned"})
"""The final states of jobs, sweeps and batch predictions."""

UNDER_WAY = frozenset({"queued", "converting"})
"""The states of a transition that has not ended."""


class HasEnded:
    """The record of a job, a sweep or a batch prediction."""

    status: str

    @property
    def ended(self) -> bool:
        """Return whether it has completed or failed, or was cancelled or pruned."""
        return self.status in ENDED
