"""The states of jobs and sweeps."""

ENDED = frozenset({"completed", "failed", "cancelled", "pruned"})
"""The final states of jobs and sweeps."""

UNDER_WAY = frozenset({"queued", "converting"})
"""The states of a transition that has not ended."""


class HasEnded:
    """The record of a job or a sweep."""

    status: str

    @property
    def ended(self) -> bool:
        """Return whether it has completed or failed, or was cancelled or pruned."""
        return self.status in ENDED
