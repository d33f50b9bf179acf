"""Make the profile of a table from its values and its coded matrix."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np

from mlops_contract import ColumnType
from mlops_contract.dates import REFERENCE_DATE
from mlops_data.profile import (
    TOP_LEVELS,
    ColumnProfile,
    DataProfile,
    LevelCount,
    Quantiles,
    TargetProfile,
)
from mlops_data.splitting import PARTS
from mlops_data.tables.coding import Coded
from mlops_data.tables.inference import Reading
from mlops_data.tables.selection import Selection
from mlops_data.tables.target import Target
from mlops_data.tables.values import Facts

QUARTILES = (0, 25, 50, 75, 100)


def profile_of(
    name: str, selection: Selection, facts: Mapping[int, Facts], coded: Coded, target: Target, parts: np.ndarray
) -> DataProfile:
    """Return the profile. `parts` is the part of each row of the table, int8 `[n]`, negative if it is left out."""
    return DataProfile(
        name=name,
        rows={part: int((parts == code).sum()) for part, code in PARTS.items()},
        target=_target(target, parts >= 0),
        columns=tuple(_columns(selection.readings, facts, coded)),
        left_out=tuple(selection.left_out),
        notes=tuple(selection.notes),
    )


def _target(target: Target, kept: np.ndarray) -> TargetProfile:
    values, missing = target.values[kept], int((~target.present).sum())
    if not target.classes:
        return TargetProfile(
            target.name, target.task.value, missing, quantiles=_quantiles(values, float(values.mean()))
        )
    counts = np.bincount(values, minlength=len(target.classes))
    classes = tuple(LevelCount(label, int(count)) for label, count in zip(target.classes, counts, strict=True))
    return TargetProfile(target.name, target.task.value, missing, classes=classes)


def _columns(readings: Sequence[Reading], facts: Mapping[int, Facts], coded: Coded) -> list[ColumnProfile]:
    train = coded.inputs["train"]
    profiles = []
    for reading, column in zip(readings, coded.columns, strict=True):
        found = facts[reading.position]
        missing = round(1 - found.filled / len(train), 6)
        if found.levels is not None:
            top = tuple(LevelCount(*level) for level in found.levels[:TOP_LEVELS])
            other = found.filled - sum(count for _, count in found.levels)
            profiles.append(
                ColumnProfile(reading.name, reading.type.value, missing, found.distinct, levels=top, other=other)
            )
            continue
        numbers = train[:, column.position]
        if reading.type is ColumnType.DATETIME:
            # Days and hours in one number; the month and the weekday between them follow from the days.
            quantiles = _dates(numbers.astype(np.float64) + train[:, column.position + 3].astype(np.float64) / 24)
        else:
            quantiles = _quantiles(numbers, found.mean or 0.0)
        profiles.append(ColumnProfile(reading.name, reading.type.value, missing, found.distinct, quantiles=quantiles))
    return profiles


def _quantiles(values: np.ndarray, mean: float) -> Quantiles:
    least, p25, median, p75, most = map(_rounded, np.nanpercentile(values, QUARTILES, method="nearest"))
    return Quantiles(least, p25, median, p75, most, _rounded(mean))


def _dates(days: np.ndarray) -> Quantiles:
    least, p25, median, p75, most = map(_moment, np.nanpercentile(days, QUARTILES, method="nearest"))
    return Quantiles(least, p25, median, p75, most, None)


def _moment(days: float) -> str:
    """Return the ISO text of a time, from days since the reference date with their fraction."""
    return (REFERENCE_DATE + timedelta(seconds=round(float(days) * 86_400))).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rounded(value: float) -> float:
    """Return a number with the seven digits that float32 has."""
    return float(f"{value:.7g}")
