"""How often one changed column of 200 is found."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.column_costs import JOBS
from mlops.domain.drift.column_drift import compare_columns
from mlops.domain.drift.thresholds import DriftThresholds, Verdict
from mlops_contract import Column, ColumnType, Contract, Task
from mlops_contract.column_bins import ColumnBins, reference_of
from mlops_contract.contract import CATEGORIES, NUMBERS

HELD_OUT = 1000
THRESHOLDS = DriftThresholds()

Array = np.ndarray[Any, np.dtype[Any]]

NUMBERS_OF_200 = 150


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
