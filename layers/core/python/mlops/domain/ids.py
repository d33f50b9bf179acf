"""Ids of records."""

import secrets
import time


def sortable_id(prefix: str) -> str:
    """Return a new id. Ids sort by time in milliseconds, then at random."""
    return f"{prefix}{time.time_ns() // 1_000_000:012x}{secrets.token_hex(4)}"
