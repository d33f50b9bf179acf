"""Errors that end a run as failed. Users see the messages, so they name the cause and the remedy."""

import errno
import traceback
from pathlib import Path

from mlops_data.errors import DataError
from trainer.log import log_event


class TrainingError(Exception):
    """Base of the trainer's own errors whose message is for users."""


class ParameterError(TrainingError):
    """A parameter is missing, unknown or out of its bounds."""


class Diverged(TrainingError):
    """The loss is no longer a number."""


class ParityError(TrainingError):
    """The exported ONNX model does not answer as the trained one does."""


class Unreachable(TrainingError):
    """A service that the run needs did not answer as long as the trainer waits, or refused the request."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{address}: {reason}")
        self.address = address
        self.reason = reason


class Pruned(Exception):
    """The sweep ends the run, because it is worse than the others. The message says why. This is not a failure."""


class Interrupted(Exception):
    """SIGTERM arrived. The state is stored, and the run can be tried again, so this is not a failure."""


FOR_USERS = (TrainingError, DataError)
"""The errors whose message is for users. All others are defects, and are logged with their traceback."""


def reason_of(error: Exception) -> str:
    """Return what the record of a run says of an error: its message, or the kind and place of a defect.

    Of a defect, the log gets the traceback.
    """
    if isinstance(error, FOR_USERS):
        return str(error)
    log_event("trainer.defect", traceback="".join(traceback.format_exception(error)))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({error.strerror}): free some space, and start the run again"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"internal error: {type(error).__name__} in {Path(last.filename).name}:{last.lineno}; see the job's log"
