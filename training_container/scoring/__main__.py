"""`python -m scoring`: the job of a shard, as AWS Batch starts it. Its report and its log say why it failed."""

import os
import sys

from mlops.aws.batch_process import exit_code
from scoring.job import Job, JobSettings


def score() -> bool:
    """Do the shard; False if that is not possible."""
    shard = int(os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX", "0"))
    return Job.of(JobSettings.from_environment(), shard).run()


if __name__ == "__main__":
    sys.exit(exit_code(score))
