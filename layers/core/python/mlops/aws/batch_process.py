"""The process of a job of AWS Batch: its log, its signals and its exit code."""

import logging
import signal
import sys
from collections.abc import Callable
from types import FrameType

from mlops.aws.transient import is_transient
from mlops.domain.errors import DependencyUnavailable

INTERRUPTED = 143
TRY_AGAIN = 75
"""The job definition has Batch start another attempt: a service of AWS did not answer."""
logger = logging.getLogger(__name__)


def exit_code(job: Callable[[], bool]) -> int:
    """Do a job, and return the exit code of its process: 1 if the job says that it cannot be done."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    # The first process of a container ignores signals that it does not handle.
    signal.signal(signal.SIGTERM, _end)
    try:
        return 0 if job() else 1
    except Exception as error:
        logger.exception("the job failed")
        if is_transient(error) or isinstance(error, DependencyUnavailable):
            return TRY_AGAIN
        raise


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(INTERRUPTED)
