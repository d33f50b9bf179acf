"""The verdict: large and not chance, with enough data, against windows that do not overlap."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.windows import Windows
from mlops.domain.drift.counts import Summary
from mlops.domain.drift.divergence import Moments
from mlops.domain.drift.verdict import DriftThresholds, Verdict, detect

THRESHOLDS = DriftThresholds()
EMPTY = Summary(0, {}, {})


def sample(counts, confident=0.9):
    n = sum(counts)
    top = round(n * confident)
    return Summary(n, {str(label): c for label, c in enumerate(counts)}, {"confidence": (0,) * 8 + (n - top, top)})


REFERENCE = sample([1000] * 10)
EVEN, TWO = sample([30] * 10), sample([150, 150] + [0] * 8)


def test_no_drift_is_stable_and_names_the_largest_psi():
    found = detect(EVEN, REFERENCE, EMPTY, THRESHOLDS)
    assert found.verdict is Verdict.STABLE
    assert found.worst.psi == max(each.psi for each in found.comparisons[0].signals)


def test_a_shift_is_an_alert_of_the_signal_that_shifted():
    found = detect(TWO, REFERENCE, EMPTY, THRESHOLDS)
    assert (found.verdict, found.worst.signal, found.deciding.against) == (Verdict.ALERT, "predictions", "reference")
    assert found.comparisons[1].verdict is Verdict.INSUFFICIENT_DATA


@pytest.mark.parametrize(("measured", "compared"), [(199, False), (200, True)])
def test_a_signal_of_few_images_is_left_out_and_the_others_count(measured, compared):
    def images(sample, count, level):
        histograms = {**sample.histograms, "ink_share": tuple(count * (bin_ == level) for bin_ in range(10))}
        return replace(sample, histograms=histograms, blocks=Moments(count, (level / 10 * count,) * 49, (count,) * 49))

    found = detect(images(EVEN, measured, 9), images(REFERENCE, 5000, 1), EMPTY, THRESHOLDS)
    signals = {each.signal: each.verdict for each in found.comparisons[0].signals}
    assert signals.keys() - {"predictions", "confidence"} == ({"ink_share", "block_means"} if compared else set())
    assert found.verdict is (Verdict.ALERT if compared else Verdict.STABLE)


def test_drift_against_either_sample_counts():
    found = detect(TWO, sample([5000, 5000] + [0] * 8), sample([100] * 10), THRESHOLDS)
    assert (found.verdict, found.deciding.against) == (Verdict.ALERT, "baseline")
    assert found.comparisons[0].verdict is Verdict.STABLE


@pytest.mark.parametrize("n", [0, 1, 199])
def test_few_predictions_are_no_verdict(n):
    current = sample([n] + [0] * 9)
    found = detect(current, REFERENCE, REFERENCE, THRESHOLDS)
    assert (found.verdict, found.worst) == (Verdict.INSUFFICIENT_DATA, None)
    assert f"{n} predictions of the 200" in found.comparisons[0].note
    assert found.message.count("current window has") == 1, "both comparisons lack the same, which is said once"


def test_without_a_reference_the_baseline_alone_is_compared_and_that_is_said():
    found = detect(TWO, None, REFERENCE, THRESHOLDS)
    assert found.verdict is Verdict.ALERT
    assert "without a reference" in found.comparisons[0].note


def test_what_chance_explains_is_no_drift_however_large():
    small = DriftThresholds(drift_minimum_samples=20)
    current = sample([4, 0, 3, 1, 2, 3, 1, 4, 1, 1])
    found = detect(current, REFERENCE, EMPTY, small)
    signal = found.comparisons[0].signals[0]
    assert signal.psi > 0.2
    assert not signal.significant
    assert found.verdict is Verdict.STABLE


def test_what_is_certain_but_small_is_no_drift():
    found = detect(sample([1_050_000] + [1_000_000] * 9), sample([1_000_000] * 10), EMPTY, THRESHOLDS)
    assert found.comparisons[0].signals[0].significant
    assert found.verdict is Verdict.STABLE


def test_thresholds_are_parameters():
    current = sample([300] * 9 + [0])  # a class that no longer comes
    verdicts = [
        detect(current, REFERENCE, EMPTY, DriftThresholds(drift_warning=low, drift_alert=high)).verdict
        for low, high in ((0.1, 0.2), (0.1, 5.0), (4.0, 5.0))
    ]
    assert verdicts == [Verdict.ALERT, Verdict.WARNING, Verdict.STABLE]


def test_false_alarms_at_200_are_rarer_than_one_in_a_hundred():
    random = np.random.default_rng(4)
    shares = np.full(10, 0.1)
    wrong = 0
    for _ in range(1000):
        current = sample(random.multinomial(200, shares).tolist(), confident=random.binomial(200, 0.9) / 200)
        baseline = sample(random.multinomial(300, shares).tolist(), confident=random.binomial(300, 0.9) / 300)
        wrong += detect(current, REFERENCE, baseline, THRESHOLDS).verdict is not Verdict.STABLE
    assert wrong <= 10


@given(st.integers(1, 24 * 60), st.integers(1, 24 * 14))
def test_the_baseline_never_contains_the_current_window(baseline_hours, current_hours):
    windows = Windows.ending_now(baseline_hours, current_hours)
    start, current, last, end = (
        datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC)
        for hour in (windows.baseline_start, windows.current_start, windows.baseline_last, windows.end)
    )
    assert start <= last < current < end
    assert (end - current).total_seconds() == current_hours * 3600
    assert (current - start).total_seconds() == baseline_hours * 3600
    assert windows.baseline_last < windows.current_start  # as strings too, which is how the table compares them
