"""From a delivery's lines to what is to be added where."""

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from delivery import Delivery
from input_samples import is_sample

from mlops.prediction_counts import Counts, Malformed, counts_of, lifetime
from mlops.prediction_stats import REFUSED, SKIPPED, Series, hour_of

EVENT = "mlops.prediction"
# What CloudWatch Logs itself takes: lines up to 14 days old, and 2 hours ahead of its clock.
OLDEST_SECONDS = 14 * 24 * 3600
AHEAD_SECONDS = 2 * 3600

Sample = tuple[str, str, str, Mapping[str, Any]]
"""Model and version, hour, id and fields of a line that holds inputs themselves."""
Piece = tuple[Series, str | None, Mapping[str, int], Mapping[str, int]]


@dataclass
class Counted:
    """`pieces` to add (series, hour, counts, totals), how many lines they are of, and why others were skipped."""

    delivery_id: str
    pieces: list[Piece] = field(default_factory=list)
    lines: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)


def count_lines(delivery: Delivery) -> Counted:
    """Every line lands in the hour in which it was written, whenever it is delivered."""
    counted = Counted(delivery.id)
    sums: dict[tuple[Series, str | None], Counts] = defaultdict(Counter)
    now = time.time()
    for line in delivery.lines:
        try:
            if not now - OLDEST_SECONDS <= line.seconds <= now + AHEAD_SECONDS:
                raise _Skip("time")
            fields = _fields(line.text)
            if is_sample(fields):
                series = _checked_series(fields)
                counted.samples.append((series.key.replace("#", "/"), hour_of(line.seconds), line.id, fields))
                continue
            series, counts = _counts(fields)
        except _Skip as skip:
            counted.skipped[skip.reason] += 1
            # No hour: of these lines the time may be wrong too, and only their total is ever looked at.
            sums[SKIPPED, None][skip.reason] += 1
            continue
        sums[series, hour_of(line.seconds)].update(counts)
        counted.lines += 1
    counted.pieces = [
        (series, hour, counts, lifetime(counts) if series.version else counts)
        for (series, hour), counts in sums.items()
    ]
    return counted


def undecodable(data: str) -> Counted:
    """A delivery that could not be read at all counts as one skipped line."""
    one = {"undecodable": 1}
    digest = hashlib.sha256(data.encode()).hexdigest()
    return Counted(digest, [(SKIPPED, None, one, one)], skipped=Counter(one))


class _Skip(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _fields(text: str) -> Mapping[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:  # cut off, or not ours
        raise _Skip("not_json") from error
    if not isinstance(line, dict) or line.get("event") != EVENT:
        raise _Skip("another_event")
    return line


def _counts(line: Mapping[str, Any]) -> tuple[Series, Counts]:
    if line.get("status") != 200:
        status, code = line.get("status"), line.get("code")
        if type(status) is not int or not isinstance(code, str) or len(code) > 100:
            raise _Skip("malformed")
        return REFUSED, Counter({f"{status}/{code}": 1})
    try:
        return _checked_series(line), counts_of(line)
    except (Malformed, OverflowError) as error:
        raise _Skip("malformed") from error


def _checked_series(line: Mapping[str, Any]) -> Series:
    try:
        return _series(line)
    except Malformed as error:
        raise _Skip("malformed") from error


def _series(line: Mapping[str, Any]) -> Series:
    name, version, stage = line.get("model_name"), line.get("model_version"), line.get("stage")
    if not isinstance(name, str) or not name or type(version) is not int or version < 1:
        raise Malformed("the line does not say which version answered")
    if stage not in ("Production", "Staging"):
        raise Malformed("the line does not say in which stage")
    return Series(name, version, stage)
