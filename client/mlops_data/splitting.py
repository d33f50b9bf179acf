"""Choose which rows of a table train, validate and measure a model. The same rows get the same parts in every run.

Rows are spread evenly over the table's order, without randomness. Parts are int8 `[n]`: TRAIN, VALIDATION or HELD_OUT.
"""

import numpy as np

TRAIN, VALIDATION, HELD_OUT = 0, 1, 2
PARTS = {"train": TRAIN, "validation": VALIDATION, "held_out": HELD_OUT}
VALIDATION_SHARE = 0.1
LEAST_ROWS = len(PARTS)
"""Fewer rows of a class, or fewer groups, do not reach every part."""


def spread(count: int, chosen: int) -> np.ndarray:
    """Return a mask of `count` rows that chooses `chosen` of them, evenly: bool `[count]`."""
    places = np.arange(count + 1, dtype=np.int64) * chosen // max(count, 1)
    return places[1:] > places[:-1]


def by_share(count: int, share: float) -> np.ndarray:
    """Split rows by shares: `share` of them is held out, and a tenth validates; each part has at least one row."""
    parts = np.full(count, TRAIN, np.int8)
    held_out = spread(count, max(1, round(count * share)))
    parts[held_out] = HELD_OUT
    rest = np.flatnonzero(~held_out)
    parts[rest[spread(len(rest), max(1, round(count * VALIDATION_SHARE)))]] = VALIDATION
    return parts


def by_class(codes: np.ndarray, classes: int, share: float) -> np.ndarray:
    """Split the rows of each class by shares. `codes` are the rows' classes, int64 `[n]`."""
    parts = np.full(len(codes), TRAIN, np.int8)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=classes))
    for rows in np.split(order, ends[:-1]):
        parts[rows] = by_share(len(rows), share)
    return parts


def by_time(times: np.ndarray, start: float) -> np.ndarray:
    """Hold out the rows from `start` on; the latest eighth of the others validates. `times` are float64 `[n]`."""
    parts = np.where(times >= start, HELD_OUT, TRAIN).astype(np.int8)
    before = np.flatnonzero(parts == TRAIN)
    latest = before[np.argsort(times[before], kind="stable")]
    parts[latest[len(latest) - len(latest) // 8 :]] = VALIDATION
    return parts


def by_group(groups: np.ndarray, share: float) -> np.ndarray:
    """Split whole groups, so that the parts' sizes come close to the shares.

    Args:
        groups: The rows' groups, int64 `[n]`: 0, 1, … in the order in which they first appear; at least three.
        share: The share of rows to hold out.
    """
    sizes = np.bincount(groups)
    lacking = len(groups) * np.array([1 - share - VALIDATION_SHARE, VALIDATION_SHARE, share])
    empty = list(PARTS.values())
    of_group = np.empty(len(sizes), np.int8)
    # The largest group goes where most rows are lacking; the last ones go to parts that have no group yet.
    for place, group in enumerate(np.argsort(-sizes, kind="stable")):
        candidates = empty if len(sizes) - place <= len(empty) else list(PARTS.values())
        part = max(candidates, key=lambda candidate: lacking[candidate])
        if part in empty:
            empty.remove(part)
        lacking[part] -= sizes[group]
        of_group[group] = part
    parts: np.ndarray = of_group[groups]
    return parts
