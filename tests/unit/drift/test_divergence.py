"""The arithmetic, against scipy and against what it promises."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from mlops.domain.drift.divergence import Moments, chi_squared_tail, histogram_divergence, moments_divergence


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 10, 48, 999])
def test_the_tail_of_chi_squared_is_scipys(degrees):
    for value in (0, 1e-9, 0.1, 0.9, 1, 2, 5, 10, 20, 50, 100, 500, 900, 1000, 1100, 5000):
        assert chi_squared_tail(value, degrees) == pytest.approx(
            scipy_stats.chi2.sf(value, degrees), rel=1e-9, abs=1e-300
        ), value


def test_psi_is_the_symmetrised_relative_entropy_of_the_smoothed_shares():
    before, after = [10, 0, 90, 0], [30, 5, 65, 0]
    p, q = (np.array(counts[:3]) + 0.5 for counts in (before, after))
    p, q = p / p.sum(), q / q.sum()
    expected = scipy_stats.entropy(p, q) + scipy_stats.entropy(q, p)
    found = histogram_divergence(before, after)
    assert found.psi == pytest.approx(expected)
    assert found.p_value == pytest.approx(scipy_stats.chi2.sf(expected / (1 / 100 + 1 / 100), 2))


def test_psi_is_symmetric_and_zero_only_for_equal_shares():
    assert histogram_divergence([3, 5, 0], [3, 5, 0]).psi == 0
    forth, back = histogram_divergence([30, 50], [50, 30]), histogram_divergence([50, 30], [30, 50])
    assert forth == back
    assert forth.psi > 0


def test_one_bin_cannot_differ():
    assert histogram_divergence([7, 0], [200, 0]).p_value == 1


@pytest.mark.parametrize("pair", [([1, 2], [1, 2, 3]), ([0, 0], [1, 2]), ([1, 2], [0, 0])])
def test_what_cannot_be_compared_is_refused(pair):
    with pytest.raises(ValueError, match=r"compared"):
        histogram_divergence(*pair)


@pytest.mark.parametrize(("n", "m"), [(200, 200), (200, 5000), (1000, 300)])
def test_without_drift_p_values_are_even(n, m):
    """The chance that the p-value promises is the one that comes out, also for samples of different sizes."""
    random = np.random.default_rng(1)
    shares = random.dirichlet(np.full(10, 5.0))
    found = [
        histogram_divergence(random.multinomial(n, shares), random.multinomial(m, shares)).p_value for _ in range(2000)
    ]
    for level in (0.01, 0.05, 0.5):
        spread = math.sqrt(level * (1 - level) / 2000)
        assert np.mean(np.array(found) < level) < level + 4 * spread, level


def test_moments_differ_by_the_squared_distance_in_deviations():
    random = np.random.default_rng(2)
    before, after = random.normal(0.5, 0.1, (4000, 1)), random.normal(0.6, 0.1, (3000, 1))
    found = moments_divergence(moments(before), moments(after))
    assert found.psi == pytest.approx(1.0, rel=0.15)
    pooled = scipy_stats.ttest_ind(before[:, 0], after[:, 0])
    assert found.psi / (1 / 4000 + 1 / 3000) == pytest.approx(pooled.statistic**2, rel=1e-6)
    assert found.p_value == pytest.approx(0, abs=1e-30)


def test_moments_of_constant_components_do_not_divide_by_zero():
    same = Moments(300, (0.0, 30.0), (0.0, 3.0))
    assert moments_divergence(same, same).psi == 0
    assert moments_divergence(same, Moments(300, (300.0, 30.0), (300.0, 3.0))).psi <= 10


def test_moments_without_drift_are_rarely_significant():
    random = np.random.default_rng(3)
    found = [
        moments_divergence(moments(random.random((200, 49))), moments(random.random((1000, 49)))).p_value
        for _ in range(300)
    ]
    assert np.mean(np.array(found) < 0.05) < 0.1


def moments(values):
    return Moments(len(values), tuple(values.sum(axis=0)), tuple((values**2).sum(axis=0)))
