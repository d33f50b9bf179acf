"""Drift by column: false alarms in a month of hourly checks, detection, the PSI against Evidently's, and the costs.

    python -m benchmarks.columns [--months 100] [--trials 300]

Evidently is compared where it is installed; it is no dependency of the platform.
"""

import argparse
import json
import timeit
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from benchmarks import machine
from mlops.domain.drift.column_drift import CHECKS, compare_columns
from mlops.domain.drift.column_tests import LEAST_EXPECTED, more_often, raw_psi, shape_of
from mlops.domain.drift.thresholds import DriftThresholds, Verdict
from mlops_contract import Column, ColumnType, Contract, Task
from mlops_contract.column_bins import ColumnBins, reference_of
from mlops_contract.contract import CATEGORIES, NUMBERS
from mlops_contract.table_reference import ColumnReference, Kind, TableReference

WIDTHS = (10, 30, 200)
ROWS_PER_DAY = (250, 1_200, 24_000)
HOURS, WINDOW = 30 * 24, 24
HELD_OUT = 1000
SIZES = (200, 500, 1000)
THRESHOLDS = DriftThresholds()
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


NUMBERS_OF_200, JOBS = 150, ("nurse", "baker", "pilot", "cook")


def rows_of_200(count: int, random: np.random.Generator) -> dict[str, Array]:
    """Rows of 150 numbers and 50 categories, as a model's inputs."""
    return {
        NUMBERS: np.exp(random.standard_normal((count, NUMBERS_OF_200))).astype(np.float32),
        CATEGORIES: random.choice(np.array(JOBS, object), (count, 200 - NUMBERS_OF_200)),
    }


def _half_a_deviation(feeds: dict[str, Array]) -> None:
    feeds[NUMBERS][:, 0] *= np.exp(np.float32(0.5))  # of the logarithm, which is what is normal


def _dropped(feeds: dict[str, Array]) -> None:
    feeds[NUMBERS][:, 0] = np.nan


def _new_category(feeds: dict[str, Array]) -> None:
    feeds[CATEGORIES][: round(0.05 * len(feeds[CATEGORIES])), 0] = "astronaut"


def _times_100(feeds: dict[str, Array]) -> None:
    feeds[NUMBERS][:, 0] *= 100


CHANGES: dict[str, tuple[str, Callable[[dict[str, Array]], None]]] = {
    "shift of half a standard deviation": ("c0", _half_a_deviation),
    "dropped column": ("c0", _dropped),
    "new category at 5 %": (f"c{NUMBERS_OF_200}", _new_category),
    "unit error (× 100)": ("c0", _times_100),
}


def contract_of_200() -> Contract:
    numbers = [Column(f"c{place}", ColumnType.DOUBLE, place) for place in range(NUMBERS_OF_200)]
    texts = [
        Column(f"c{NUMBERS_OF_200 + place}", ColumnType.STRING, place, levels=JOBS)
        for place in range(200 - NUMBERS_OF_200)
    ]
    return Contract(Task.CLASSIFICATION, "outcome", (*numbers, *texts))


def detection(change: str, size: int, trials: int) -> dict[str, float]:
    """Return how often one changed column of 200 is named first, with an alert, and with a warning or an alert."""
    random = np.random.default_rng([size, trials])
    contract = contract_of_200()
    name, alter = CHANGES[change]
    alerts = either = 0
    outputs = np.zeros((size, 2), np.float32)
    for trial in range(trials):
        if trial % 20 == 0:
            reference = reference_of(contract, rows_of_200(HELD_OUT, random), np.zeros((HELD_OUT, 2), np.float32))
            bins = ColumnBins(contract, reference)
        feeds = rows_of_200(size, random)
        alter(feeds)
        first = compare_columns(reference, bins.count(feeds, outputs).tolist(), THRESHOLDS).columns[0]
        alerts += first.name == name and first.verdict is Verdict.ALERT
        either += first.name == name and first.verdict is not Verdict.STABLE
    return {"alert": alerts / trials, "warning or alert": either / trials}


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


def microseconds(columns: int, rows: int) -> float:
    """Return the time that counting adds to a request of so many rows, in microseconds per row."""
    from predict.column_counts import ColumnCounter

    contract = Contract(
        Task.CLASSIFICATION,
        "outcome",
        (
            *(Column(f"c{place}", ColumnType.DOUBLE, place) for place in range(columns - columns // 4)),
            *(Column(f"t{place}", ColumnType.STRING, place, levels=JOBS) for place in range(columns // 4)),
        ),
    )
    random = np.random.default_rng(0)

    def feeds(count: int) -> dict[str, Array]:
        return {
            NUMBERS: random.standard_normal((count, contract.numbers)).astype(np.float32),
            CATEGORIES: random.choice(np.array(JOBS, object), (count, contract.categories)),
        }

    counter = ColumnCounter(contract, reference_of(contract, feeds(1000), np.zeros((1000, 2), np.float32)))
    counter._sampling.takes = lambda *_: 1  # type: ignore[method-assign]  # each request, as in the first of an hour
    asked, outputs = feeds(rows), np.zeros((rows, 2), np.float32)
    calls = max(20, 2000 // rows)
    return min(timeit.repeat(lambda: counter.count("id", asked, outputs), number=calls, repeat=5)) / calls / rows * 1e6


def storage(predictions: int, rows_per_line: int) -> dict[str, float]:
    """Return what deliveries of ten lines of a 200-column model write, and what GET /drift/columns then reads."""
    import base64
    import time
    import zlib

    from moto import mock_aws

    from mlops.aws.dynamodb import DynamoTable
    from mlops.aws.stats_table import PredictionStats, Series, hour_of, hours_before
    from prediction_log.delivery import Delivery, Line
    from prediction_log.ledger import count_delivery
    from tests.support.tables import make_table

    with mock_aws():
        made = make_table("PredictionStatsTable", f"stats-{uuid.uuid4().hex[:8]}", "us-east-1")
        stats = PredictionStats(DynamoTable(made))
        random = np.random.default_rng(0)
        units: list[int] = []

        def sent(params: Any, **_: Any) -> None:
            requests = [next(iter(write.values())) for write in params["TransactItems"]]
            units.append(sum(2 * -(-_size(request) // 1024) for request in requests))

        made.meta.client.meta.events.register("provide-client-params.dynamodb.TransactWriteItems", sent)
        deliveries = predictions // (10 * rows_per_line)
        for delivery in range(deliveries):
            counts = random.multinomial(rows_per_line, np.full(13, 1 / 13), 200).ravel().astype("<u2")
            packed = base64.urlsafe_b64encode(zlib.compress(counts.tobytes(), 1)).decode()
            line = {
                "event": "mlops.prediction",
                "status": 200,
                "min_reader": 2,
                "task": "regression",
                "latency_ms": 1.5,
                "model_name": "wide",
                "model_version": 1,
                "stage": "Production",
                "n": rows_per_line,
                "columns": {"layout": "0" * 12, "counts": packed},
            }
            text, now = json.dumps(line), time.time()
            lines = tuple(Line(f"{delivery}-{place}", now, text) for place in range(10))
            list(count_delivery(stats, list, Delivery(f"stream {delivery}", lines)))
        reads = {"items": 0, "queries": 0}
        query = made.query

        def counted(**request: Any) -> Any:
            answer = query(**request)
            reads["items"] += answer["Count"]
            reads["queries"] += 1
            return answer

        made.query = counted
        sums = stats.columns.window(Series("wide", 1, "Production"), hours_before(hour_of(time.time()), 23))
        assert sum(sums["0" * 12]) == 200 * deliveries * 10 * rows_per_line
        return {"deliveries": deliveries, "write units a delivery": max(units), **reads}


def _size(request: Any) -> int:
    """Return about how many bytes an item or the changes of one have; the text of expressions makes it larger."""
    return len(json.dumps(request, default=lambda value: "b" * len(getattr(value, "value", value))))


def main() -> None:
    """Print the tables and write them to benchmarks/results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=100, help="at each width; a fifth at the largest")
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
    found_changes = {(name, size): detection(name, size, options.trials) for name in CHANGES for size in SIZES}
    difference = evidently_difference()
    times = {(columns, rows): microseconds(columns, rows) for columns in (20, 200) for rows in (1, 100)}
    stored = {count: storage(count, rows) for count, rows in ((1_000, 10), (1_000_000, 1000))}
    first = machine.table(
        ["columns", *(f"{rows:,} rows a day" for rows in ROWS_PER_DAY)],
        [[f"{width}", *(f"{months[width, rows][0]:.1%}" for rows in ROWS_PER_DAY)] for width in WIDTHS],
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
        ["predictions in an hour", *next(iter(stored.values()))],
        [[f"{count:,}", *(f"{value}" for value in costs.values())] for count, costs in stored.items()],
    )
    compared = "Evidently was not installed" if difference is None else f"largest difference {difference:.1e}"
    text = (
        f"A reference of {HELD_OUT} held-out rows; hourly checks of the last 24 hours.\n\n"
        f"## Months with a false warning or alert, {options.months} each, of 200 columns a fifth\n\n"
        f"Half of the columns are numbers, the others categories of 2, 10 and 50 levels; 2 % of the values are "
        f"missing.\n\n{first}\n"
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
        "detection": [{"change": name, "rows": size, **shares} for (name, size), shares in found_changes.items()],
        "evidently_difference": difference,
        "microseconds_per_row": [
            {"columns": columns, "rows": rows, "microseconds": value} for (columns, rows), value in times.items()
        ],
        "storage": {str(count): costs for count, costs in stored.items()},
    }
    machine.write("columns", "Drift by column", result, text)


if __name__ == "__main__":
    main()
