"""The rejection of a transition."""

from mlops.domain.transition import Gates


class Rejected(Exception):
    """The transition is rejected for this reason. The model stays as it is."""

    def __init__(self, reason: str, gates: Gates = ()) -> None:
        super().__init__(reason)
        self.reason, self.gates = reason, gates


def failures(gates: Gates) -> str:
    """Join the details of the checks that failed."""
    return "; ".join(f"{gate.check}: {gate.detail}" for gate in gates if not gate.passed)
