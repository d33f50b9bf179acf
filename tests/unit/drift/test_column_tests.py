"""The tests of a column: against scipy, against simulated rows without drift, and against other tools' PSI."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.column_detection import CHANGES, detection
from benchmarks.columns import WIDTHS, evidently_difference, false_check, false_month
from mlops.domain.drift.column_drift import compare_columns
from mlops.domain.drift.column_tests import holm, merged, more_often, moved, raw_psi, shape_of
from mlops.domain.drift.thresholds import DriftThresholds, Verdict
from mlops_contract.table_reference import ColumnReference, Kind, TableReference


@pytest.mark.parametrize("seed", range(40))
def test_more_often_is_fishers_exact_test(seed: int) -> None:
    random = np.random.default_rng(seed)
    n, m = (int(size) for size in random.integers(1, 5000, 2))
    before, after = int(random.binomial(n, 0.01)), int(random.binomial(m, 0.05))
    expected = stats.fisher_exact([[after, m - after], [before, n - before]], alternative="greater").pvalue
    found = more_often(before, n, after, m)
    assert found == pytest.approx(expected, rel=1e-6) or (found == 1.0 and after / m <= before / n)


def test_more_often_of_large_counts_is_fast_and_tiny() -> None:
    assert more_often(0, 1000, 1_000_000, 1_000_000) < 1e-99
    assert more_often(20_000, 1_000_000, 20_000, 1_000_000) == 1.0
    assert more_often(0, 1000, 0, 0) == more_often(0, 1000, 0, 500) == 1.0


def test_holm_stops_at_the_first_that_is_not_significant() -> None:
    assert holm([0.04, 0.001, 0.02, 0.03], 0.05) == [False, True, False, False]
    assert holm([0.01, 0.02, 0.03], 0.06) == [True, True, True]
    assert holm([], 0.05) == []


def test_rare_bins_are_merged_and_new_ones_stay_visible() -> None:
    assert merged([500, 490, 4, 3, 3], [98, 100, 1, 1, 0]) == ([500, 500], [98, 102])
    assert merged([1000, 0, 0], [0, 0, 200]) == ([1000, 0], [0, 200])
    assert merged([3], [2]) == ([3], [2])


def test_the_psi_of_small_samples_is_that_of_the_drift_and_not_of_chance() -> None:
    random = np.random.default_rng(0)
    shares = np.full(50, 1 / 50)
    pairs = [(random.multinomial(1000, shares).tolist(), random.multinomial(200, shares).tolist()) for _ in range(200)]
    plain = [psi for pair in pairs if (psi := raw_psi(*pair)) is not None]
    assert np.mean(plain) > 0.2
    assert np.mean([shape_of(*pair).psi for pair in pairs]) < 0.02


@pytest.mark.parametrize("bins", [2, 10, 50])
def test_p_values_without_drift_are_as_rare_as_they_say(bins: int) -> None:
    random = np.random.default_rng(bins)
    shares = random.dirichlet(np.full(bins, 3.0))
    samples = random.multinomial(1000, shares, 4000).tolist(), random.multinomial(500, shares, 4000).tolist()
    p_values = np.array([shape_of(*pair).p_value for pair in zip(*samples, strict=True)])
    assert (p_values < 0.01).mean() < 0.02
    assert (p_values < 0.001).mean() < 0.004


@pytest.mark.parametrize("seed", range(20))
def test_moved_is_the_rank_sum_test_of_the_binned_values(seed: int) -> None:
    random = np.random.default_rng(seed)
    bins = int(random.integers(1, 12))
    shares = random.dirichlet(np.ones(bins), 2)
    before, after = (random.multinomial(size, share) for size, share in zip((300, 120), shares, strict=True))
    values = [np.repeat(np.arange(bins), counts) for counts in (before, after)]
    expected = stats.mannwhitneyu(*values, method="asymptotic", use_continuity=False).pvalue if bins > 1 else 1.0
    assert moved(before.tolist(), after.tolist()) == pytest.approx(expected, rel=1e-9)


def test_moved_says_nothing_of_no_values() -> None:
    assert moved([0, 0], [3, 4]) == moved([3, 4], [0, 0]) == moved([5], [7]) == 1.0


def test_p_values_of_ordered_bins_are_as_rare_as_they_say() -> None:
    random = np.random.default_rng(7)
    shares = np.array([0.02, 0.01, *np.full(10, 0.096), 0.01])
    pairs = [(random.multinomial(1000, shares).tolist(), random.multinomial(300, shares).tolist()) for _ in range(4000)]
    p_values = np.array([shape_of(*pair, slice(1, None)).p_value for pair in pairs])
    assert (p_values < 0.01).mean() < 0.015
    assert (p_values < 0.001).mean() < 0.003


def test_the_raw_psi_is_that_of_the_formula_and_none_where_it_is_infinite() -> None:
    assert raw_psi([50, 50, 0], [25, 75, 0]) == pytest.approx(-0.25 * np.log(0.5) + 0.25 * np.log(1.5))
    assert raw_psi([50, 50], [100, 0]) is None


def test_the_raw_psi_is_evidentlys() -> None:
    difference = evidently_difference(20)
    if difference is None:
        pytest.skip("Evidently is not installed: it is no dependency, and python -m benchmarks.columns has the result")
    assert difference < 1e-9


def test_months_with_nothing_wrong_have_no_alarm() -> None:
    random = np.random.default_rng(5)
    assert not any(any(false_month(10, 1200, random)) for _ in range(2))


@pytest.mark.parametrize("columns", WIDTHS)
def test_checks_with_nothing_wrong_find_nothing(columns: int) -> None:
    random = np.random.default_rng(columns)
    assert sum(false_check(columns, 1000, random) for _ in range(20)) == 0


@pytest.mark.parametrize("change", CHANGES)
def test_one_changed_column_of_200_is_found(change: str) -> None:
    assert detection(change, 1000, 4)["alert"] == 1.0


class TestVerdict:
    reference = TableReference(1000, (ColumnReference("job", Kind.CATEGORY, (0, 600, 400, 0, 0), levels=("a", "b")),))

    def verdict(self, *counts: int, **thresholds: float) -> Verdict:
        return compare_columns(self.reference, counts, DriftThresholds(**thresholds)).verdict

    def test_needs_a_change_that_is_large_and_not_chance(self) -> None:
        assert self.verdict(0, 590, 410, 0, 0) is Verdict.STABLE
        assert self.verdict(0, 600, 396, 0, 4) is Verdict.STABLE  # chance does not explain 4 of 1,000, but they are few
        assert self.verdict(0, 6000, 3800, 0, 200) is Verdict.WARNING
        assert self.verdict(0, 6000, 3500, 0, 500) is Verdict.ALERT
        assert self.verdict(0, 400, 600, 0, 0) is Verdict.WARNING
        assert self.verdict(0, 300, 700, 0, 0) is Verdict.ALERT
        assert self.verdict(0, 300, 700, 0, 0, drift_alert=0.9) is Verdict.WARNING

    def test_few_rows_have_none(self) -> None:
        drift = compare_columns(self.reference, (0, 0, 0, 0, 199), DriftThresholds())
        assert (drift.verdict, drift.rows) == (Verdict.INSUFFICIENT_DATA, 199)
        assert "199 counted rows" in str(drift.note)
        few = TableReference(50, (ColumnReference("job", Kind.CATEGORY, (0, 30, 20, 0, 0), levels=("a", "b")),))
        assert "50 held-out rows" in str(compare_columns(few, (0, 0, 0, 0, 900), DriftThresholds()).note)
