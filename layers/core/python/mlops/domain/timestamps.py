"""The format of times in records."""

from datetime import UTC, datetime, timedelta


def now() -> str:
    """Return the current time, ISO 8601 in UTC with milliseconds."""
    return text_of(datetime.now(UTC))


def before(age: timedelta) -> str:
    """Return the time that was `age` ago, in the format of `now`."""
    return text_of(datetime.now(UTC) - age)


def from_milliseconds(milliseconds: int) -> str:
    """Return a Unix time in milliseconds in the format of `now`."""
    return text_of(datetime.fromtimestamp(milliseconds / 1000, UTC))


def text_of(moment: datetime) -> str:
    """Return a moment, which has a zone, in the format of `now`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
