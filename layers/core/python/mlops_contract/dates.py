"""Datetimes as the numbers that a model takes."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

REFERENCE_DATE = datetime(2000, 1, 1, tzinfo=UTC)
SECONDS_PER_DAY = 86_400

Doubles = np.ndarray[Any, np.dtype[np.float64]]


def date_parts(seconds: Doubles) -> Doubles:
    """Return the `DATE_PARTS` of times, float64 `[n, 4]`.

    Args:
        seconds: Seconds since 1970-01-01 in UTC, float64 `[n]`; NaN is missing, and all its parts are NaN.
    """
    since = seconds - REFERENCE_DATE.timestamp()
    days = np.floor(since / SECONDS_PER_DAY)
    hours = (since - days * SECONDS_PER_DAY) / 3600
    missing = np.isnan(days)
    dates = np.datetime64("2000-01-01", "D") + np.where(missing, 0, days).astype("m8[D]")
    months = dates.astype("M8[M]").astype(np.int64) % 12 + 1
    weekdays = (np.where(missing, 0, days) + REFERENCE_DATE.weekday()) % 7
    parts = np.column_stack([days, months, weekdays, hours])
    parts[missing] = np.nan
    return parts
