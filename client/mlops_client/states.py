"""What the API's words for a state mean."""

ENDED = frozenset({"completed", "failed", "cancelled"})
"""The states of jobs and sweeps that change no more."""


class HasEnded:
    """A record of something that runs and ends: a job or a sweep."""

    status: str

    @property
    def ended(self) -> bool:
        """Whether it has completed, failed or been cancelled."""
        return self.status in ENDED
