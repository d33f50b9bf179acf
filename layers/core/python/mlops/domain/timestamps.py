"""The format of times in records."""

from datetime import UTC, datetime


def now() -> str:
    """Return the current time, ISO 8601 in UTC with milliseconds."""
    return _text(datetime.now(UTC))


def from_milliseconds(milliseconds: int) -> str:
    """Return a Unix time in milliseconds in the format of `now`."""
    return _text(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
