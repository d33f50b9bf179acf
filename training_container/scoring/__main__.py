"""`python -m scoring`: the job of a shard, as AWS Batch starts it."""

import logging
import os
import signal
import sys
from types import FrameType

from mlops.aws.transient import is_transient
from scoring.job import Job, JobSettings

INTERRUPTED = 143
TRY_AGAIN = 75
"""The job definition has Batch start another attempt: a service of AWS did not answer."""
logger = logging.getLogger("scoring")


def main() -> int:
    """Do the shard, and return the exit code. Why it failed is in what the shard reported, and in the log."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    # The first process of a container ignores signals that it does not handle.
    signal.signal(signal.SIGTERM, _end)
    shard = int(os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX", "0"))
    try:
        return 0 if Job.of(JobSettings.from_environment(), shard).run() else 1
    except Exception as error:
        logger.exception("the shard %s failed", shard)
        if is_transient(error):
            return TRY_AGAIN
        raise


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
