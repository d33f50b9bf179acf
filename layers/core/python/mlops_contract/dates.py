"""Datetimes as the numbers that a model takes."""

import math
import re
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

REFERENCE_DATE = datetime(2000, 1, 1, tzinfo=UTC)
SECONDS_PER_DAY = 86_400
_REFERENCE_SECONDS = REFERENCE_DATE.timestamp()
_REFERENCE_ORDINAL = REFERENCE_DATE.toordinal()
# datetime.fromisoformat also takes week dates, and dates without hyphens.
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)?)?", re.ASCII)

Doubles = np.ndarray[Any, np.dtype[np.float64]]


def date_parts(seconds: Doubles) -> Doubles:
    """Return the `DATE_PARTS` of times, float64 `[n, 4]`.

    Args:
        seconds: Seconds since 1970-01-01 in UTC, float64 `[n]`; NaN is missing, and all its parts are NaN.
    """
    since = seconds - _REFERENCE_SECONDS
    days = np.floor(since / SECONDS_PER_DAY)
    hours = (since - days * SECONDS_PER_DAY) / 3600
    missing = np.isnan(days)
    dates = np.datetime64("2000-01-01", "D") + np.where(missing, 0, days).astype("m8[D]")
    months = dates.astype("M8[M]").astype(np.int64) % 12 + 1
    weekdays = (np.where(missing, 0, days) + REFERENCE_DATE.weekday()) % 7
    parts = np.column_stack([days, months, weekdays, hours])
    parts[missing] = np.nan
    return parts


def parts_of(moment: datetime) -> tuple[float, int, int, float]:
    """Return the `DATE_PARTS` of one time: the same numbers as those of `date_parts`, without an array.

    Raises:
        ValueError: The time rounds to one after the year 9999.
    """
    since = moment.timestamp() - _REFERENCE_SECONDS
    days = math.floor(since / SECONDS_PER_DAY)
    day = date.fromordinal(_REFERENCE_ORDINAL + days)
    return days, day.month, day.weekday(), (since - days * SECONDS_PER_DAY) / 3600


def parsed(text: str) -> datetime:
    """Return the time that a text of RFC 3339 says; a date alone is its midnight, and without an offset it is UTC.

    Raises:
        ValueError: It says no time.
    """
    if not _RFC_3339.fullmatch(text):
        raise ValueError("not RFC 3339")
    return aware(datetime.fromisoformat(text.upper()))


def aware(moment: datetime) -> datetime:
    """Return the time with its offset, which is UTC if it says none."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
