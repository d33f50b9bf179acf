"""Log lines: one JSON object on each line of standard output, with the seconds since the process began.

The interpreter's own start counts, so that the time from a request to the first epoch can be broken down from the log.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path


def _process_began() -> float:
    """Unix time at which this process was started; the time of import where /proc does not say."""
    try:
        # Field 22 of /proc/self/stat, in clock ticks since boot; the name in parentheses may hold spaces.
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.time()


BEGAN = _process_began()

# The id of the request that asked for the run: it also stands in the lines of the API, the queue and the promotion.
ORIGIN = {"request_id": os.environ["REQUEST_ID"]} if "REQUEST_ID" in os.environ else {}


def log_event(event: str, **fields: object) -> None:
    """Print one line: what happened, when, how many seconds after the process began, and `fields`."""
    line = {
        "event": event,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "elapsed": round(time.time() - BEGAN, 3),
        **ORIGIN,
        **fields,
    }
    sys.stdout.write(json.dumps(line, default=str, allow_nan=True) + "\n")
    sys.stdout.flush()
