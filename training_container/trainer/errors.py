"""Why a run ends as failed. The messages reach the person who asked for the run: they name the cause and the remedy."""


class TrainingError(Exception):
    """Base of the failures whose reason is for people. Anything else is a defect of ours and keeps its traceback."""


class ParameterError(TrainingError):
    """A parameter is missing, unknown or out of its bounds."""


class DataError(TrainingError):
    """The data set cannot be read, or is not one that a model can be trained on."""


class Diverged(TrainingError):
    """The loss is no longer a number."""


class ParityError(TrainingError):
    """The exported ONNX model does not answer as the trained one does."""


class Unreachable(TrainingError):
    """A service the run depends on did not answer for as long as the trainer waits, or refused for good."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{address}: {reason}")
        self.address = address
        self.reason = reason


class Interrupted(Exception):
    """SIGTERM arrived: the state is checkpointed and the run may be attempted again. Not a failure."""
