"""When a file that serves is examined again: after the gate has changed, and daily while the gate refuses it.

A file that the former gate admitted goes on serving, whatever the present one says. Its manifest has the verdict.
"""

import time

from mlops.domain import timestamps
from mlops.domain.manifest import Manifest

GATE_REVISION = 1
"""It rises with each change of the gate that may refuse what was admitted before."""
AGAIN_AFTER_SECONDS = 24 * 3600
"""After a refusal. The gate's limits, the file or the load of the machine may be others by then."""


def is_due(manifest: Manifest) -> bool:
    """Whether the file that the manifest names is to be examined again."""
    if manifest.gate_revision != GATE_REVISION:
        return True
    before = timestamps.from_milliseconds(int((time.time() - AGAIN_AFTER_SECONDS) * 1000))
    return manifest.refusal is not None and manifest.written_at < before
