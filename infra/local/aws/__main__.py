"""`python -m infra.local.aws`: the local AWS as one process, with the settings in its environment."""

import sys

from infra.local.aws.server import main

sys.exit(main())
