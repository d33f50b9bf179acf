"""Drift by column: false alarms in a month of hourly checks, detection, the PSI against Evidently's, and the costs.

    python -m benchmarks.columns [--months 100] [--checks 1000] [--trials 300]

Evidently is compared where it is installed; it is no dependency of the platform.
"""

import argparse
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.column_costs import microseconds, storage
from benchmarks.column_detection import CHANGES, HELD_OUT, THRESHOLDS, detection
from mlops.domain.drift.column_drift import CHECKS, compare_columns
from mlops.domain.drift.column_tests import LEAST_EXPECTED, more_often, raw_psi, shape_of
from mlops.domain.drift.thresholds import Verdict
from mlops_contract.table_reference import ColumnReference, Kind, TableReference

WIDTHS = (10, 30, 200)
ROWS_PER_DAY = (250, 1_200, 24_000)
HOURS, WINDOW = 30 * 24, 24
SIZES = (200, 500, 1000)
FALSE_CHECK_ROWS = 1000
DELIVERIES = ((1_000, 10, 10), (10_000, 1, 100), (1_000_000, 1000, 10))
"""Predictions in an hour, rows of a line, and lines of a delivery."""
_SCREEN = 0.8
"""A check whose columns all stay below this part of each threshold cannot give a verdict, and is not made."""
_MARGIN = 10
"""Nor one whose p-values all are above so many times the level."""
_more_often = cache(more_often)

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Population:
    """One column: its reference, and the true probability of each bin."""

    reference: ColumnReference
    probabilities: Array


def number_column(name: str, random: np.random.Generator) -> Population:
    """Any continuous column: 1,000 held-out values cut the distribution into spacings, which are Dirichlet."""
    missing = 0.02
    spacings = random.dirichlet(np.ones(HELD_OUT + 1))
    tenths = [part.sum() for part in np.array_split(spacings[1:-1], 10)]
    within = np.array([spacings[0], *tenths, spacings[-1]]) * (1 - missing)
    absent = int(random.binomial(HELD_OUT, missing))
    present = np.array_split(np.arange(HELD_OUT - absent), 10)
    edges = tuple(float(edge) for edge in range(1, 10))
    counts = (absent, 0, *map(len, present), 0)
    return Population(ColumnReference(name, Kind.NUMBER, counts, 0.0, 10.0, edges), np.array([missing, *within]))


def category_column(name: str, levels: int, random: np.random.Generator) -> Population:
    """A category whose levels are more and more rare, as Zipf's law has it, with a little that training did not see."""
    shares = 1 / np.arange(1, levels + 1)
    shares = shares / shares.sum() * 0.978
    probabilities = np.array([0.02, *shares, 0.001, 0.001])
    counts = tuple(int(count) for count in random.multinomial(HELD_OUT, probabilities))
    names = tuple(f"level {place}" for place in range(levels))
    return Population(ColumnReference(name, Kind.CATEGORY, counts, levels=names), probabilities)


def table(columns: int, random: np.random.Generator) -> list[Population]:
    """Half numbers; the others are categories of 2, 10 and 50 levels in turn."""
    made = []
    for place in range(columns):
        name = f"c{place}"
        levels = (2, 10, 50)[place // 2 % 3]
        made.append(category_column(name, levels, random) if place % 2 else number_column(name, random))
    return made


def false_month(columns: int, rows_per_day: int, random: np.random.Generator) -> tuple[bool, bool]:
    """Return whether a month of hourly checks with nothing wrong has a warning or an alert, and whether an alert."""
    populations = table(columns, random)
    reference = TableReference(HELD_OUT, tuple(population.reference for population in populations))
    hourly = rows_per_day // WINDOW
    rows = random.poisson(hourly, HOURS + WINDOW)
    days = []
    for population in populations:
        counts = random.multinomial(rows, population.probabilities)
        summed = np.concatenate([np.zeros((1, counts.shape[1]), int), counts.cumsum(axis=0)])
        days.append(summed[WINDOW:] - summed[:-WINDOW])
    suspicious = np.zeros(len(days[0]), bool)
    level = _MARGIN * THRESHOLDS.drift_columns_alpha / CHECKS / (2 * columns)
    for population, windows in zip(populations, days, strict=True):
        suspicious |= _may_be_found(population.reference, windows, level)
    worst = Verdict.STABLE
    for check in np.flatnonzero(suspicious):
        now = [count for windows in days for count in windows[check].tolist()]
        worst = max(worst, compare_columns(reference, now, THRESHOLDS).verdict, key=lambda verdict: verdict.rank)
    return worst in (Verdict.WARNING, Verdict.ALERT), worst is Verdict.ALERT


def false_check(columns: int, rows: int, random: np.random.Generator) -> bool:
    """Return whether a check of a table with nothing wrong, of its own reference, gives a warning or an alert."""
    populations = table(columns, random)
    reference = TableReference(HELD_OUT, tuple(population.reference for population in populations))
    now = [count for each in populations for count in random.multinomial(rows, each.probabilities).tolist()]
    return compare_columns(reference, now, THRESHOLDS).verdict is not Verdict.STABLE


def _may_be_found(reference: ColumnReference, windows: Array, level: float) -> Array:
    """Return which windows may have a verdict on the column, bool `[checks]`: all that do, and few that do not.

    Merging bins only makes a PSI smaller, and keeps the frequent bins. Without a p-value as small as the level divided
    by the number of tests, Holm's step-down finds nothing; each column has two tests or more.
    """
    before = np.array(reference.counts)
    n, total = int(before.sum()), windows.sum(axis=1)
    p = (before + 0.5) / (n + 0.5 * len(before))
    q = (windows + 0.5) / (total[:, None] + 0.5 * len(before))
    psi, by_chance = ((p - q) * np.log(p / q)).sum(axis=1), 1 / n + 1 / total
    frequent = (before + windows) * (np.minimum(n, total) / (n + total))[:, None] >= LEAST_EXPECTED
    degrees = np.maximum(1, frequent.sum(axis=1) - 2)
    large = psi - degrees * by_chance >= _SCREEN * THRESHOLDS.drift_warning
    found = np.zeros(len(windows), bool)
    for check in np.flatnonzero(large):
        found[check] = shape_of(reference.counts, windows[check].tolist(), reference.ordered).p_value <= level
    growth = windows / total[:, None] - before / n
    places = [0, 1, -1] if reference.kind is Kind.NUMBER else [0, -1]
    for check, index in np.argwhere(growth[:, places] >= _SCREEN * THRESHOLDS.drift_share_warning):
        place = places[index]
        found[check] |= _more_often(int(before[place]), n, int(windows[check, place]), int(total[check])) <= level
    return found


def evidently_difference(pairs: int = 50) -> float | None:
    """Return the largest difference of the raw PSI from Evidently's on the same bins; None without Evidently."""
    with suppress(ImportError):
        import pandas as pd
        from evidently.legacy.calculations.stattests import psi_stat_test
        from evidently.legacy.core import ColumnType as EvidentlyType

        random = np.random.default_rng(4)
        worst = 0.0
        for _ in range(pairs):
            bins = int(random.integers(2, 30))
            shares = random.dirichlet(np.full(bins, 5.0), 2)
            before, after = (
                random.multinomial(size, share) + 1 for size, share in zip((900, 400), shares, strict=True)
            )
            series = [
                pd.Series(np.repeat([f"bin {place}" for place in range(bins)], counts)) for counts in (before, after)
            ]
            theirs = psi_stat_test.func(series[0], series[1], EvidentlyType.Categorical, 0.1)[0]
            ours = raw_psi(before.tolist(), after.tolist())
            assert ours is not None
            worst = max(worst, abs(ours - float(theirs)))
        return worst
    return None


def main() -> None:
    """Print the tables and write them to benchmarks/results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=100, help="at each width; a fifth at the largest")
    parser.add_argument("--checks", type=int, default=1000, help="single checks at each width")
    parser.add_argument("--trials", type=int, default=300, help="of each change and size")
    options = parser.parse_args()
    about = machine.describe("numpy")
    months: dict[tuple[int, int], tuple[float, float]] = {}
    for width in WIDTHS:
        for rows in ROWS_PER_DAY:
            random = np.random.default_rng([width, rows])
            count = options.months if width < max(WIDTHS) else max(1, options.months // 5)
            found = np.array([false_month(width, rows, random) for _ in range(count)])
            months[width, rows] = (float(found[:, 0].mean()), float(found[:, 1].mean()))
            print(f"{width} columns, {rows} rows a day: {months[width, rows]}", flush=True)
    checks = {
        width: sum(false_check(width, FALSE_CHECK_ROWS, random) for _ in range(options.checks))
        for width, random in ((width, np.random.default_rng([width, 1])) for width in WIDTHS)
    }
    found_changes = {(name, size): detection(name, size, options.trials) for name in CHANGES for size in SIZES}
    difference = evidently_difference()
    times = {(columns, rows): microseconds(columns, rows) for columns in (20, 200) for rows in (1, 100)}
    stored = {(count, rows, lines): storage(count, rows, lines) for count, rows, lines in DELIVERIES}
    first = machine.table(
        ["columns", *(f"{rows:,} rows a day" for rows in ROWS_PER_DAY), f"false of {options.checks:,} single checks"],
        [
            [f"{width}", *(f"{months[width, rows][0]:.1%}" for rows in ROWS_PER_DAY), f"{checks[width]}"]
            for width in WIDTHS
        ],
    )
    second = machine.table(
        ["one column of 200", *(f"{size} rows" for size in SIZES)],
        [
            [name, *(" / ".join(f"{part:.1%}" for part in found_changes[name, size].values()) for size in SIZES)]
            for name in CHANGES
        ],
    )
    third = machine.table(
        ["columns", "one row, µs", "of 100 rows, µs per row"],
        [[f"{columns}", *(f"{times[columns, rows]:.1f}" for rows in (1, 100))] for columns in (20, 200)],
    )
    fourth = machine.table(
        ["predictions in an hour", "rows a line", "lines a delivery", *next(iter(stored.values()))],
        [
            [*(f"{each:,}" for each in delivered), *(f"{value}" for value in costs.values())]
            for delivered, costs in stored.items()
        ],
    )
    compared = "Evidently was not installed" if difference is None else f"largest difference {difference:.1e}"
    text = (
        f"A reference of {HELD_OUT} held-out rows; hourly checks of the last 24 hours.\n\n"
        f"## Months with a false warning or alert, {options.months} each, of 200 columns a fifth\n\n"
        f"Half of the columns are numbers, the others categories of 2, 10 and 50 levels; 2 % of the values are "
        f"missing. Each of the single checks has a reference of its own, and {FALSE_CHECK_ROWS:,} rows.\n\n{first}\n"
        f"## Detection: the column is named first, with an alert / with a warning or an alert; {options.trials} trials "
        f"each\n\n{second}\n"
        f"## The raw PSI and Evidently's on the same bins\n\n{compared}.\n\n"
        f"## Time that counting adds to a counted request\n\n{third}\n"
        f"## Writes and reads, a model of 200 columns of numbers\n\n{fourth}"
    )
    print(text)
    result = {
        "machine": about,
        "months": [
            {"columns": width, "rows_per_day": rows, "warning_or_alert": shares[0], "alert": shares[1]}
            for (width, rows), shares in months.items()
        ],
        "false_checks": {"checks": options.checks, "by_width": checks},
        "detection": [{"change": name, "rows": size, **shares} for (name, size), shares in found_changes.items()],
        "evidently_difference": difference,
        "microseconds_per_row": [
            {"columns": columns, "rows": rows, "microseconds": value} for (columns, rows), value in times.items()
        ],
        "storage": [
            {"predictions": count, "rows_per_line": rows, "lines": lines, **costs}
            for (count, rows, lines), costs in stored.items()
        ],
    }
    machine.write("columns", "Drift by column", result, text)


if __name__ == "__main__":
    main()
