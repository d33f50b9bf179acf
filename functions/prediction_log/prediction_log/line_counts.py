"""Convert a delivery's lines to counts by series and hour.

Unknown fields, which a later version of predict may write, are ignored. A line with a `min_reader` above READER, or
with an unknown `kind` or `variant`, counts as skipped, so it is not counted as a prediction of Production. What a
rollout's challenger answers, with the variant `canary`, is a series of its own.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops.aws.stats_table import NAMES_PER_UPDATE, REFUSED, SKIPPED, Series, hour_of
from mlops.domain.drift.column_counts import ByLayout, counts_of_columns, together
from mlops.domain.drift.counts import KEPT, Counts, Malformed, counts_of, lifetime
from mlops.domain.feedback.kept_answers import KeptRequest, kept_of
from mlops.domain.feedback.kept_answers import Malformed as MalformedFeedback
from mlops.domain.rollout.counts import Malformed as MalformedRollout
from mlops.domain.rollout.counts import counts_of_line
from mlops.domain.rollout.live import CANARY, CANARY_VARIANT
from mlops.domain.stages import ALIASES
from prediction_log.delivery import Line
from prediction_log.input_samples import Sample, is_sample

EVENT = "mlops.prediction"
READER = 3
"""The version of this reader. A line without `min_reader` is for version 1; one of a regression model needs 2, and one
of a model with a decision threshold 3."""
# The limits of CloudWatch Logs: lines up to 14 days old, and up to 2 hours ahead of its clock.
OLDEST_SECONDS = 14 * 24 * 3600
AHEAD_SECONDS = 2 * 3600


@dataclass
class Counted:
    """The counts to add to hours and totals, the number of counted lines, and the reasons of skipped ones.

    `columns` has those of table models' columns, by their layout.
    """

    hours: dict[tuple[Series, str], Counts] = field(default_factory=lambda: defaultdict(Counter))
    totals: dict[Series, Counts] = field(default_factory=lambda: defaultdict(Counter))
    columns: dict[tuple[Series, str], dict[str, list[int]]] = field(default_factory=dict)
    rollouts: dict[tuple[str, int], Counts] = field(default_factory=lambda: defaultdict(Counter))
    """Counts of rollouts, by id and phase."""
    lines: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    kept: list[tuple[str, KeptRequest]] = field(default_factory=list)
    """Answers that wait for labels, with the names of their models."""


def count_lines(lines: Iterable[Line]) -> Counted:
    """Count lines. Each belongs to the hour in which it was written, whenever it is delivered."""
    counted = Counted()
    now = time.time()
    for line in lines:
        try:
            if not now - OLDEST_SECONDS <= line.seconds <= now + AHEAD_SECONDS:
                raise _Skip("time")
            fields = _fields(line.text)
            if is_sample(fields):
                of = _series(fields)
                counted.samples.append(Sample(of.model_name, of.version, hour_of(line.seconds), line.id, fields))
                continue
            hour = hour_of(line.seconds)
            series, counts, columns, kept = _counts(fields, hour)
            trial = _trial(fields)
            place = series, hour
            if kept is not None:
                counted.kept.append((series.model_name, kept))
            if columns:
                counted.columns[place] = _together(counted.columns.get(place, {}), columns)
        except _Skip as skip:
            counted.skipped[skip.reason] += 1
            # Added to the totals only: the time of these lines may be wrong too.
            counted.totals[SKIPPED][skip.reason] += 1
            continue
        counted.hours[place].update(counts)
        if trial is not None:
            counted.rollouts[trial[0]].update(trial[1])
        counted.lines += 1
    for (series, _), counts in counted.hours.items():
        counted.totals[series].update(lifetime(counts) if series.version else counts)
    return counted


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
    needed = 1 if line.get("min_reader") is None else line["min_reader"]
    if type(needed) is not int or needed < 1:
        raise _Skip("malformed")
    if line.get("variant") is None:
        known = line.get("kind") is None or is_sample(line)
    else:
        known = line["variant"] == CANARY_VARIANT and line.get("kind") is None and line.get("status") == 200
    if needed > READER or not known:
        raise _Skip("newer")
    return line


def _counts(line: Mapping[str, Any], hour: str) -> tuple[Series, Counts, dict[str, list[int]], KeptRequest | None]:
    if line.get("status") != 200:
        status, code = line.get("status"), line.get("code")
        if type(status) is not int or not 100 <= status < 1000 or not _is_name(code):
            raise _Skip("malformed")
        return REFUSED, Counter({f"{status}/{code}": 1}), {}, None
    series = _series(line)
    try:
        counts, columns, kept = counts_of(line), counts_of_columns(line), kept_of(line, hour)
    except (Malformed, MalformedFeedback, OverflowError) as error:
        raise _Skip("malformed") from error
    if kept is not None:
        counts[KEPT] = kept.answers.rows
    if not all(map(_is_storable, counts)):
        raise _Skip("malformed")
    if len(counts) > NAMES_PER_UPDATE:  # more than a hundred predictions: predict writes no such line
        raise _Skip("malformed")
    return series, counts, columns, kept


def _trial(line: Mapping[str, Any]) -> tuple[tuple[str, int], Mapping[str, int]] | None:
    """Return what a line adds to the counts of a rollout, if it belongs to one."""
    if line.get("rollout") is None:
        return None
    try:
        return counts_of_line(line["rollout"])
    except MalformedRollout as error:
        raise _Skip("malformed") from error


def _together(before: ByLayout, columns: ByLayout) -> dict[str, list[int]]:
    try:
        return together((before, columns))
    except Malformed as error:
        raise _Skip("malformed") from error


def _series(line: Mapping[str, Any]) -> Series:
    """Return which version answered, and in which stage."""
    name, version, stage = line.get("model_name"), line.get("model_version"), line.get("stage")
    if not isinstance(name, str) or not _is_name(name) or type(version) is not int or not 1 <= version < 1 << 63:
        raise _Skip("malformed")
    if not isinstance(stage, str) or stage not in ALIASES:
        raise _Skip("malformed")
    return Series(name, version, stage if line.get("variant") is None else CANARY)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 100 and _is_storable(value)


def _is_storable(name: str) -> bool:
    """Whether DynamoDB accepts it as an attribute's name: UTF-8 of at most 64 kB."""
    try:
        return len(name.encode()) < 1 << 16
    except UnicodeEncodeError:  # half of a surrogate pair, as JSON can spell it
        return False
