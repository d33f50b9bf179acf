"""`python -m label_imports`: the job of an import of labels, as AWS Batch starts it."""

import logging
import signal
import sys
from types import FrameType

from label_imports.job import Job
from mlops.aws.transient import is_transient
from mlops.domain.errors import DependencyUnavailable

INTERRUPTED = 143
TRY_AGAIN = 75
"""The job definition has Batch start another attempt: a service of AWS did not answer."""
logger = logging.getLogger("label_imports")


def main() -> int:
    """Import the labels, and return the exit code. Why it failed is in the record, and in the log."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    # The first process of a container ignores signals that it does not handle.
    signal.signal(signal.SIGTERM, _end)
    try:
        return 0 if Job.from_environment().run() else 1
    except Exception as error:
        logger.exception("the import failed")
        if is_transient(error) or isinstance(error, DependencyUnavailable):
            return TRY_AGAIN
        raise


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
