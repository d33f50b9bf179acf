"""The sequential tests: their formulas, and that looking after each observation breaks no promise."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import betainc, logsumexp

from mlops.domain.rollout.counts import Counts
from mlops.domain.rollout.guardrails import findings
from mlops.domain.rollout.plan import Guardrails
from mlops.domain.rollout.sequential import STAKES, _share_below, excess, log_mean, worse


@pytest.mark.parametrize(("k", "n", "limit"), [(7, 30, 0.1), (2, 2, 0.01), (60, 100, 0.5), (3.5, 12, 0.2), (1, 1, 0.9)])
def test_excess_is_the_mean_likelihood_ratio_above_the_limit(k, n, limit):
    def ratio(rate):
        return (rate / limit) ** k * ((1 - rate) / (1 - limit)) ** (n - k)

    assert excess(k, n, limit) == pytest.approx(math.log(quad(ratio, limit, 1)[0] / (1 - limit)), abs=1e-9)


def test_there_is_no_evidence_while_the_rate_is_within_the_limit():
    assert excess(0, 0, 0.1) == excess(0, 10, 0.1) == excess(1, 10, 0.1) == -math.inf
    assert excess(2, 10, 0.1) > -math.inf


def test_large_counts_neither_overflow_nor_take_long():
    assert excess(30_000, 1_000_000, 0.02) == pytest.approx(2207.41, abs=0.1)
    assert excess(1_000_000, 1_000_000, 0.01) > 4_000_000


@pytest.mark.parametrize(("k", "n", "limit"), [(-1, 3, 0.1), (4, 3, 0.1), (1, 3, 0.0), (1, 3, 1.0)])
def test_impossible_counts_and_limits_are_refused(k, n, limit):
    with pytest.raises(ValueError, match="not 0"):
        excess(k, n, limit)


def test_the_incomplete_beta_function_is_that_of_scipy():
    random = np.random.default_rng(1)
    for a, b in np.exp(random.uniform(0, 11, (2_000, 2))):
        x = float(random.beta(a, b))
        if 0 < x < 1:
            assert _share_below(a, b, x) == pytest.approx(float(betainc(a, b, x)), abs=2e-9)


def test_the_game_about_pairs_bets_each_stake_on_each_row():
    margin, rows = 0.02, [-1, -1, 0, 1, 0, -1, 0, 0, 1, -1]
    wealth = [sum(math.log(1 - stake * (x + margin)) for x in rows) for stake in STAKES]
    assert worse(4, 2, 10, margin) == pytest.approx(logsumexp(wealth) - math.log(len(STAKES)))


def test_rows_that_both_answer_alike_are_no_evidence_without_a_margin():
    assert worse(0, 0, 1_000, 0.0) == pytest.approx(0.0)
    assert worse(0, 0, 1_000, 0.01) < 0
    assert worse(30, 5, 1_000, 0.0) > 0 > worse(5, 30, 1_000, 0.0)


def test_more_lost_and_won_rows_than_rows_are_refused():
    with pytest.raises(ValueError, match="not 6"):
        worse(6, 5, 10, 0.0)


def test_the_mean_of_logarithms_passes_over_what_is_nothing():
    assert log_mean([-math.inf, -math.inf]) == -math.inf
    assert log_mean([1_000.0, -math.inf]) == pytest.approx(1_000 - math.log(2))


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.5])
def test_a_rate_at_its_limit_hardly_ever_looks_too_large_however_often_somebody_looks(rate):
    """1,500 sequences of 400 observations, looked at after each: at α = 5 % at most 5 % may be wrong."""
    random = np.random.default_rng(7)
    alpha, length, sequences = 0.05, 400, 1_500
    least = [_first_broken(n, rate, alpha) for n in range(1, length + 1)]
    counts = (random.random((sequences, length)) < rate).cumsum(axis=1)
    wrong = (counts >= np.array(least)).any(axis=1).mean()
    assert wrong <= alpha


def _first_broken(n, limit, alpha):
    """The smallest count of n that breaks the limit."""
    low, high = 0, n + 1
    while low < high:
        middle = (low + high) // 2
        if excess(middle, n, limit) >= -math.log(alpha):
            high = middle
        else:
            low = middle + 1
    return low


def test_a_shift_at_its_limit_hardly_ever_looks_too_large_however_often_somebody_looks():
    """1,000 sequences of 300 requests in which a label gains as much as it may; at most 0.5 % may be wrong."""
    random = np.random.default_rng(9)
    guardrails = Guardrails(
        max_error_rate=None, max_latency_ratio=None, max_disagreement=None, max_prediction_shift=0.1
    )
    wrong = 0
    for _ in range(1_000):
        gains = (random.random(300) < 0.1).cumsum()
        looks = range(9, 300, 10)
        counts = [Counts(pairs=n + 1, moved={"g0": 1000 * int(gains[n]), "l1": 1000 * int(gains[n])}) for n in looks]
        wrong += any(finding.is_broken for each in counts for finding in findings(guardrails, [each], 1))
    assert wrong <= 5


def test_equal_versions_hardly_ever_look_unequal_however_often_somebody_looks():
    random = np.random.default_rng(8)
    rows = random.choice([-1, 0, 1], (1_500, 400), p=[0.1, 0.8, 0.1])
    lost, won = (rows < 0).cumsum(axis=1), (rows > 0).cumsum(axis=1)
    n = np.arange(1, 401)
    wealth = [lost * math.log1p(s) + won * math.log1p(-s) for s in STAKES]
    evidence = logsumexp(wealth, axis=0) - math.log(len(STAKES))
    assert evidence[3, 99] == pytest.approx(worse(int(lost[3, 99]), int(won[3, 99]), int(n[99]), 0.0))
    assert (evidence >= math.log(1 / 0.05)).any(axis=1).mean() <= 0.05
