"""`python -m infra.local.localstack`: LocalStack in this process, with the plug-ins of this folder.

It runs in LocalStack's own environment, with the variables of `environment.py`.
"""

import logging
import sys
from pathlib import Path

# LocalStack finds plug-ins by the entry points of installed packages; this folder holds a package's metadata.
sys.path.append(str(Path(__file__).parent / "plugins"))

from localstack.runtime.main import main

if __name__ == "__main__":
    # They tell of LocalStack's own fields, a line for each of the stack's resources, and of what `functions` replaces.
    for name in ("localstack.aws.protocol.serializer", "localstack.services.lambda_.provider"):
        # LocalStack sets the levels itself when it starts.
        logging.getLogger(name).addFilter(lambda record: record.levelno >= logging.ERROR)
    main()
