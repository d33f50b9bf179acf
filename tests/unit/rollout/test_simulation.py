"""The simulation of `python -m benchmarks.rollouts`, in small."""

import pytest

from benchmarks.rollouts import BAD, GOOD, PLAN, simulate
from mlops.domain.rollout.verdict import Next


@pytest.mark.parametrize("name", GOOD)
def test_challengers_within_the_limits_go_to_production(name):
    ends = [simulate(GOOD[name], PLAN, seed) for seed in range(8)]
    assert {end.next for end in ends} == {Next.PROMOTE}
    assert all(end.minutes >= 120 for end in ends)


@pytest.mark.parametrize(
    ("name", "guardrail"),
    [
        ("wrong", "max_disagreement"),
        ("slow", "max_latency_ratio"),
        ("crashing (", "max_error_rate"),
        ("less sure", "max_confidence_drop"),
    ],
)
def test_bad_challengers_are_rolled_back_before_they_answer_anybody(name, guardrail):
    challenger, plan = next(case for title, case in BAD.items() if title.startswith(name))
    for seed in range(5):
        end = simulate(challenger, plan, seed)
        assert (end.next, end.guardrail, end.counts.canary) == (Next.ROLL_BACK, guardrail, 0)


@pytest.mark.parametrize(
    ("name", "guardrail"),
    [("drifting", "max_disagreement"), ("leaning", "max_prediction_shift"), ("subtly worse", "min_accuracy_delta")],
)
def test_challengers_that_are_worse_later_or_little_are_found_too(name, guardrail):
    challenger, plan = next(case for title, case in BAD.items() if title.startswith(name))
    end = simulate(challenger, plan, 3)
    assert (end.next, end.guardrail) == (Next.ROLL_BACK, guardrail)
    assert end.counts.canary / end.counts.requests < 0.15
