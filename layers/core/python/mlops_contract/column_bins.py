"""Count the values of a table model's columns in bins: of the held-out rows in training, of each request in predict."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from mlops_contract.columns import Column, ColumnType
from mlops_contract.contract import CATEGORIES, NUMBERS, Contract, Task
from mlops_contract.table_reference import (
    MAX_WATCHED,
    OTHER,
    PREDICTION,
    QUANTILE_BINS,
    UNSEEN,
    ColumnReference,
    Kind,
    TableReference,
)

MAX_LEVELS = 50
MAX_LEVELS_OF_ALL = 10_000
"""Of all columns together: they stand in the manifest."""
MAX_LEVEL_LENGTH = 40
"""Longer texts count as other ones."""
LEAST_OFTEN = 5
"""A text that the contract does not name is a level if it occurs so often: what one person wrote stands nowhere."""

Array = np.ndarray[Any, np.dtype[Any]]
_SHARES = np.arange(1, QUANTILE_BINS) / QUANTILE_BINS


class ColumnBins:
    """Counts rows in the bins of a reference. Made once for each model."""

    def __init__(self, contract: Contract, reference: TableReference) -> None:
        columns = dict(zip((column.name for column in reference.columns), contract.columns, strict=False))
        starts = np.cumsum([0, *(column.width for column in reference.watched)]).tolist()
        self.size = starts[-1]
        numbers, texts = [], []
        for start, watched in zip(starts, reference.columns, strict=False):
            if watched.kind is Kind.CATEGORY:
                texts.append((start, columns[watched.name], watched))
            else:
                numbers.append((start, columns[watched.name].position, _thresholds(watched)))
        self._places = np.array([place for _, place, _ in numbers], np.intp)
        self._starts = np.array([start for start, _, _ in numbers], np.intp)
        self._thresholds = _together([thresholds for _, _, thresholds in numbers])
        self._texts = [(column.position, *_codes(start, column, watched)) for start, column, watched in texts]
        self._prediction = None
        if reference.prediction is not None:
            self._prediction = (starts[-2], _thresholds(reference.prediction)[:, None])

    def count(self, feeds: dict[str, Array], outputs: Array) -> Array:
        """Return how many rows each bin has, int64 `[size]`.

        Args:
            feeds: The model's inputs, as `RowEncoder.encode` returns them.
            outputs: Its answers, float32 `[n, k]`.
        """
        found = []
        if len(self._places):
            values = feeds[NUMBERS][:, self._places]
            # Comparisons with NaN are false: a missing value is at none of the thresholds, and so in the first bin.
            reached = (values >= self._thresholds[:, None, :]).sum(axis=0, dtype=np.intp)
            found.append((reached + self._starts).ravel())
        if self._prediction is not None:
            start, thresholds = self._prediction
            found.append((outputs[:, 0] >= thresholds).sum(axis=0, dtype=np.intp) + start)
        if self._texts:
            rows = feeds[CATEGORIES].tolist()
            codes = [codes.get(row[place], unknown) for place, codes, unknown in self._texts for row in rows]
            found.append(np.array(codes, np.intp))
        return np.bincount(np.concatenate(found), minlength=self.size)


def reference_of(contract: Contract, feeds: dict[str, Array], outputs: Array) -> TableReference:
    """Return the reference of held-out rows: their columns, and for a quantity the model's answers.

    Args:
        contract: The model's.
        feeds: The rows as the model's inputs.
        outputs: Its answers to them, float32 `[n, k]`.
    """
    watched = contract.columns[:MAX_WATCHED]
    texts = sum(column.type is ColumnType.STRING for column in watched)
    most = min(MAX_LEVELS, MAX_LEVELS_OF_ALL // max(1, texts))
    prediction = None
    if contract.task is Task.REGRESSION:
        prediction = _of_numbers(PREDICTION, outputs[:, 0], None, None)
    empty = TableReference(len(outputs), tuple(_bins(column, feeds, most) for column in watched), prediction)
    counts = ColumnBins(contract, empty).count(feeds, outputs).tolist()
    counted = [replace(column, counts=part) for column, part in empty.split(counts)]
    return TableReference(len(outputs), tuple(counted[: len(watched)]), counted[-1] if prediction else None)


def _bins(column: Column, feeds: dict[str, Array], most: int) -> ColumnReference:
    if column.type is ColumnType.STRING:
        return _of_texts(column, feeds[CATEGORIES][:, column.position].tolist(), most)
    if column.type is ColumnType.BOOLEAN:
        return ColumnReference(column.name, Kind.BOOLEAN, ())
    if column.type is ColumnType.DATETIME:
        return ColumnReference(column.name, Kind.PRESENCE, ())
    return _of_numbers(column.name, feeds[NUMBERS][:, column.position], column.low, column.high)


def _of_numbers(name: str, values: Array, low: float | None, high: float | None) -> ColumnReference:
    present = values[np.isfinite(values)]
    if not len(present):
        return ColumnReference(name, Kind.PRESENCE, ())
    smallest, largest = present.min(), present.max()
    # Quantiles that are values of the data: the same number in many rows makes one edge, not several.
    edges = np.unique(np.quantile(present, _SHARES, method="inverted_cdf"))
    return ColumnReference(
        name,
        Kind.NUMBER,
        (),
        float(min(smallest, np.float32(smallest if low is None else low))),
        float(max(largest, np.float32(largest if high is None else high))),
        tuple(edges[edges < largest].tolist()),
    )


def _of_texts(column: Column, texts: list[str], most: int) -> ColumnReference:
    counts = Counter(texts)
    counts.pop(column.null_token, None)
    if column.levels is None:
        known = {text for text, count in counts.items() if count >= LEAST_OFTEN}
    else:
        known = counts.keys() & set(column.levels)
    often = sorted(known, key=lambda text: (-counts[text], text))
    levels = tuple(text for text in often if len(text) <= MAX_LEVEL_LENGTH)[:most]
    knows_all = column.levels is not None or len(levels) == len(counts)
    return ColumnReference(column.name, Kind.CATEGORY, (), levels=levels, knows_all=knows_all)


def _thresholds(column: ColumnReference) -> Array:
    """Return the least value of each bin after the first, float32 `[bins - 1]`."""
    if column.kind is Kind.NUMBER:
        after = np.nextafter(np.array([*column.edges, column.high], np.float32), np.float32(np.inf))
        return np.concatenate([np.array([-np.inf, column.low], np.float32), after])
    return np.array([-np.inf, 0.5] if column.kind is Kind.BOOLEAN else [-np.inf], np.float32)


def _together(thresholds: list[Array]) -> Array:
    """Return the thresholds of all columns, float32 `[most, columns]`; NaN fills up, as no value reaches it."""
    together = np.full((max(map(len, thresholds), default=0), len(thresholds)), np.nan, np.float32)
    for place, values in enumerate(thresholds):
        together[: len(values), place] = values
    return together


def _codes(start: int, column: Column, watched: ColumnReference) -> tuple[dict[str, int], int]:
    """Return the bin of each known text, and that of all others."""
    other, unseen = start + watched.width + OTHER, start + watched.width + UNSEEN
    codes = dict.fromkeys(column.levels or (), other)
    codes |= {level: start + 1 + place for place, level in enumerate(watched.levels)}
    codes[column.null_token] = start
    return codes, unseen if watched.knows_all else other
