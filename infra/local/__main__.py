"""`python -m infra.local up | down | status | logs | reset | demo`."""

import sys

# The only module an old interpreter gets to parse, so it keeps to plain syntax.
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit("error: Python {}.{} cannot run the stack: use Python 3.11, 3.12 or 3.13".format(*sys.version_info[:2]))

from infra.local.cli import main

if __name__ == "__main__":
    sys.exit(main())
