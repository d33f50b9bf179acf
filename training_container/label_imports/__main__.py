"""`python -m label_imports`: the job of an import, as AWS Batch starts it. Its record and its log say why it failed."""

import sys

from label_imports.job import Job
from mlops.aws.batch_process import exit_code

if __name__ == "__main__":
    sys.exit(exit_code(lambda: Job.from_environment().run()))
