"""The states of jobs, sweeps, batch predictions, imports of labels and rollouts."""

ENDED = frozenset({"completed", "failed", "cancelled", "pruned", "succeeded", "rolled_back", "aborted", "rejected"})
"""The final states of jobs, sweeps, batch predictions and rollouts."""

UNDER_WAY = frozenset({"queued", "converting"})
"""The states of a transition that has not ended."""


class HasEnded:
    """The record of a job, a sweep, a batch prediction, an import or a rollout."""

    status: str

    @property
    def ended(self) -> bool:
        """Return whether it has completed or failed, or was cancelled, pruned, rolled back, aborted or rejected."""
        return self.status in ENDED
