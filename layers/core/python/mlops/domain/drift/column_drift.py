"""Decide which columns of a table model have drifted from the held-out rows, and how.

A change counts if it is both large and not explained by chance. All tests of all columns share one level
(`drift_columns_alpha`), which bounds the false verdicts of a model in 30 days of hourly checks: each check has its
720th part, whether the model has ten columns or two hundred.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from mlops.domain.drift.column_tests import Bins, holm, more_often, shape_of
from mlops.domain.drift.thresholds import DriftThresholds, Verdict
from mlops_contract.table_reference import ABOVE, BELOW, MISSING, UNSEEN, ColumnReference, Kind, TableReference

CHECKS = 30 * 24
"""Hourly checks in 30 days. By the union bound a level of alpha / CHECKS for each holds however the windows overlap."""
NO_REFERENCE = (
    "The file of this version has no distributions of its columns, so the columns are not compared; train the model "
    "again, or log it again with the present client, and promote that version"
)


class Change(StrEnum):
    """What may have changed in a column."""

    MISSING = "missing"
    UNSEEN = "unseen"
    BELOW = "below_range"
    ABOVE = "above_range"
    DISTRIBUTION = "distribution"


@dataclass(frozen=True)
class ShareChange:
    """The share of missing, unseen or out-of-range values of a column.

    Attributes:
        share: In the current window.
        expected: Among the held-out rows.
        p_value: The probability of such growth by chance.
    """

    change: Change
    share: float
    expected: float
    p_value: float
    verdict: Verdict = Verdict.STABLE


@dataclass(frozen=True)
class ColumnDrift:
    """A column, compared.

    Attributes:
        reference: Its bins, and the counts of the held-out rows.
        counts: Those of the current window.
        psi: The PSI of the distributions, less what chance alone gives on average.
        raw_psi: That of the bins as they are; None if it is infinite, as of a bin that is empty on one side.
        p_value: The probability of such a PSI by chance.
        distribution: The verdict on it.
        shares: The changes of single shares.
        is_prediction: Whether it is the model's answer, not a column of its input.
    """

    reference: ColumnReference
    counts: tuple[int, ...]
    psi: float
    raw_psi: float | None
    p_value: float
    distribution: Verdict
    shares: tuple[ShareChange, ...]
    is_prediction: bool = False

    @property
    def name(self) -> str:
        return self.reference.name

    @property
    def verdict(self) -> Verdict:
        return max((self.distribution, *(share.verdict for share in self.shares)), key=lambda verdict: verdict.rank)

    @property
    def moved(self) -> tuple[ShareChange, ...]:
        """The shares with a warning or an alert, the largest growth first."""
        moved = (share for share in self.shares if share.verdict is not Verdict.STABLE)
        return tuple(sorted(moved, key=lambda share: share.expected - share.share))

    @property
    def changes(self) -> tuple[Change, ...]:
        """What has changed: shares first, as they say more about the cause."""
        distribution = () if self.distribution is Verdict.STABLE else (Change.DISTRIBUTION,)
        return (*(share.change for share in self.moved), *distribution)

    def share(self, change: Change) -> float | None:
        """Return a share in the current window; None if the column cannot have such values."""
        return next((share.share for share in self.shares if share.change is change), None)


@dataclass(frozen=True)
class ColumnsDrift:
    """All columns of a window, compared.

    Attributes:
        rows: How many rows of the window were counted.
        reference_rows: How many rows were held out; 0 without a reference.
        columns: Those with the most serious verdict come first, and of these the ones that moved most.
        note: Why there is no verdict.
    """

    rows: int
    reference_rows: int
    verdict: Verdict
    columns: tuple[ColumnDrift, ...] = ()
    note: str | None = None

    @property
    def moved(self) -> tuple[ColumnDrift, ...]:
        """The columns with a warning or an alert."""
        return tuple(column for column in self.columns if column.verdict is not Verdict.STABLE)


def compare_columns(
    reference: TableReference | None, counts: Sequence[int] | None, thresholds: DriftThresholds
) -> ColumnsDrift:
    """Compare a window with the reference.

    Args:
        reference: That of the version; None if it has none.
        counts: The window's counts in the bins of the reference; None if there are none.
        thresholds: When a change is large, and the level of all tests.
    """
    if reference is None:
        return ColumnsDrift(0, 0, Verdict.INSUFFICIENT_DATA, note=NO_REFERENCE)
    parts = list(reference.split(counts or [0] * reference.size))
    rows, least = sum(parts[0][1]), thresholds.drift_minimum_samples
    for number, what in ((rows, "counted rows in the current window"), (reference.rows, "held-out rows")):
        if number < least:
            note = f"The columns are not compared: there are {number} {what} of the {least} that a verdict needs"
            return ColumnsDrift(rows, reference.rows, Verdict.INSUFFICIENT_DATA, note=note)
    compared = _judged([_compared(column, now) for column, now in parts], thresholds)
    if reference.prediction is not None:
        compared[-1] = replace(compared[-1], is_prediction=True)
    compared.sort(key=lambda column: (-column.verdict.rank, -column.psi))
    return ColumnsDrift(rows, reference.rows, compared[0].verdict, tuple(compared))


def _compared(column: ColumnReference, now: Bins) -> ColumnDrift:
    """Return the distances and p-values of a column, without a verdict."""
    places = {Change.MISSING: MISSING}
    if column.kind is Kind.NUMBER:
        places |= {Change.BELOW: BELOW, Change.ABOVE: ABOVE}
    elif column.kind is Kind.CATEGORY and column.knows_all:
        places[Change.UNSEEN] = UNSEEN
    n, m = sum(column.counts), sum(now)
    shares = tuple(
        ShareChange(
            change, now[place] / m, column.counts[place] / n, more_often(column.counts[place], n, now[place], m)
        )
        for change, place in places.items()
    )
    shape = shape_of(column.counts, now, column.ordered)
    return ColumnDrift(column, tuple(now), shape.psi, shape.raw_psi, shape.p_value, Verdict.STABLE, shares)


def _judged(columns: list[ColumnDrift], thresholds: DriftThresholds) -> list[ColumnDrift]:
    """Return the columns with their verdicts, which depend on the number of all tests."""
    p_values = [p for column in columns for p in (column.p_value, *(share.p_value for share in column.shares))]
    significant = iter(holm(p_values, thresholds.drift_columns_alpha / CHECKS))
    return [
        replace(
            column,
            distribution=thresholds.of_psi(column.psi) if next(significant) else Verdict.STABLE,
            shares=tuple(
                replace(share, verdict=thresholds.of_share(share.share - share.expected))
                if next(significant)
                else share
                for share in column.shares
            ),
        )
        for column in columns
    ]
