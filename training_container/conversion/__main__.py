"""`python -m conversion`: the job of one conversion, as AWS Batch starts it."""

import logging
import sys

from conversion.confinement import hide_own_memory
from conversion.job import JobSettings, run


def main() -> int:
    """Do the job. The result is a document in the bucket, also if the model cannot be converted."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    hide_own_memory()
    run(JobSettings.from_environment())
    return 0


if __name__ == "__main__":
    sys.exit(main())
