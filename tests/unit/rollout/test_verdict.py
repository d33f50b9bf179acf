"""What a rollout's counts lead to."""

import pytest
from pydantic import ValidationError

from mlops.domain.rollout.counts import Counts, total
from mlops.domain.rollout.guardrails import ALPHA, findings
from mlops.domain.rollout.plan import WEEK, Guardrails, Plan, Step
from mlops.domain.rollout.verdict import Next, judge

PLAN = Plan(
    steps=[Step(weight=5, minutes=30, max_minutes=120), Step(weight=25, minutes=60)],
    shadow_minutes=10,
    guardrails=Guardrails(min_accuracy_delta=-0.01, max_confidence_drop=0.1, max_prediction_shift=0.05),
)
FINE = Counts(
    requests=4_000, canary=200, asked=1_000, pairs=1_000, disagreed=80_000, slower=150, labelled=400, lost=9, won=9
)


def test_a_phase_goes_on_after_its_time_with_enough_requests():
    assert judge(PLAN, [FINE], 10).next is Next.ADVANCE
    assert judge(PLAN, [FINE, FINE], 30).next is Next.ADVANCE
    assert judge(PLAN, [FINE, FINE, FINE], 60).next is Next.PROMOTE


def test_a_phase_takes_its_time():
    verdict = judge(PLAN, [FINE, FINE], 29.9)
    assert (verdict.next, verdict.reason) == (Next.WAIT, "the phase takes 30 minutes")


def test_without_traffic_the_rollout_waits_and_says_so():
    verdict = judge(PLAN, [FINE, Counts()], 60)
    assert verdict.next is Next.WAIT
    assert verdict.reason == "the challenger has answered 0 requests, and 100 are needed"
    assert judge(PLAN, [Counts()], 60).reason == "the challenger was asked 0 requests, and 100 are needed"


def test_a_challenger_that_is_never_asked_is_named():
    assert "50 were skipped" in judge(PLAN, [Counts(requests=900, skipped=50)], 60).reason


def test_a_phase_that_sees_too_little_for_too_long_is_given_up():
    verdict = judge(PLAN, [FINE, Counts(canary=3)], 120)
    assert verdict.next is Next.GIVE_UP
    assert verdict.reason == "after 120 minutes the challenger has answered 3 requests, and 100 are needed"
    assert judge(PLAN, [Counts()], WEEK).next is Next.GIVE_UP


@pytest.mark.parametrize(
    ("counts", "guardrail", "reason"),
    [
        (
            Counts(asked=100, pairs=100, unsure=90_000),
            "max_confidence_drop",
            "in 90% of the rows of 100 requests it was less sure than Production by more than 0.1, and at most half "
            "may",
        ),
        (
            Counts(asked=400, pairs=400, disagreed=72_000, moved={"g3": 72_000, "l0": 36_000, "l1": 36_000}),
            "max_prediction_shift",
            "an answer is more or less frequent than in Production by 18.0% of 400 requests, and at most by 5.0% may",
        ),
        (Counts(asked=100, failed=12), "max_error_rate", "12.00% of 100 requests failed, and at most 1.00% may"),
        (
            Counts(asked=100, pairs=100, slower=95),
            "max_latency_ratio",
            "95% of 100 requests took more than 2 times as long as in Production, and at most half may",
        ),
        (
            Counts(asked=100, pairs=100, disagreed=60_000),
            "max_disagreement",
            "60.0% of the answers to 100 requests differ from Production's, and at most 20.0% may",
        ),
        (
            Counts(labelled=2_000, lost=160, won=60),
            "min_accuracy_delta",
            "the accuracy on 2000 rows with labels differs from Production's by -5.00%, and must by at least -1.00%",
        ),
    ],
)
def test_each_guardrail_rolls_back_at_once_and_gives_the_figures(counts, guardrail, reason):
    for phases, minutes in ([[counts], 0], [[FINE, counts], 0], [[Counts(), Counts(), counts], 10_000]):
        verdict = judge(PLAN, phases, minutes)
        assert verdict.next is Next.ROLL_BACK
        assert verdict.broken is not None
        assert verdict.broken.guardrail == guardrail
    assert judge(PLAN, [counts], 0).reason == f"{guardrail}: {reason}"


def test_a_challenger_that_turns_bad_late_is_found_in_spite_of_its_past():
    good = Counts(asked=20_000, pairs=20_000, disagreed=1_000_000)
    bad = Counts(asked=100, pairs=100, disagreed=60_000)
    assert total([good, bad]).disagreed / total([good, bad]).pairs < 60
    assert judge(PLAN, [good, good, bad], 1).next is Next.ROLL_BACK


def test_a_step_waits_for_labels_of_all_phases_and_says_so():
    plan = PLAN.model_copy(update={"steps": [Step(weight=5, minutes=30, min_labels=500, max_minutes=120)]})
    assert judge(plan, [FINE], 10).next is Next.ADVANCE, "the shadow does not wait for them"
    few = judge(plan, [FINE, Counts(canary=200, labelled=99)], 30)
    assert (few.next, few.reason) == (Next.WAIT, "499 compared rows have a label, and 500 are needed")
    given_up = judge(plan, [FINE, Counts(canary=200, labelled=99)], 120)
    assert given_up.next is Next.GIVE_UP
    assert given_up.reason == "after 120 minutes 499 compared rows have a label, and 500 are needed"
    assert judge(plan, [FINE, Counts(canary=200, labelled=100)], 30).next is Next.PROMOTE


@pytest.mark.parametrize("changes", [{"bake_days": 3}, {"steps": [{"weight": 5, "minutes": 1, "min_labels": 1}]}])
def test_a_plan_that_waits_for_labels_says_what_they_are_for(changes):
    plan = {"steps": [{"weight": 5, "minutes": 1}], **changes}
    with pytest.raises(ValidationError, match="need the guardrail min_accuracy_delta"):
        Plan.model_validate(plan)
    assert Plan.model_validate({**plan, "guardrails": {"min_accuracy_delta": 0.0}}).guardrails.tested == 4


def test_answers_that_move_back_and_forth_are_no_shift():
    guardrails = Guardrails(max_disagreement=None, max_prediction_shift=0.05)
    balanced = Counts(asked=5_000, pairs=5_000, moved={"g0": 900_000, "l0": 900_000, "g1": 900_000, "l1": 900_000})
    (*_, finding) = findings(guardrails, [balanced], 1)
    assert (finding.guardrail, finding.observed, finding.is_broken) == ("max_prediction_shift", 0.0, False)
    one_way = Counts(asked=5_000, pairs=5_000, moved={"g0": 1_000_000, "l0": 400_000, "l1": 600_000})
    (*_, finding) = findings(guardrails, [one_way], 1)
    assert (finding.observed, finding.is_broken) == (0.12, True)
    other_way = Counts(asked=5_000, pairs=5_000, moved={"l0": 600_000})
    assert findings(guardrails, [other_way], 1)[-1].is_broken


def test_guardrails_that_are_null_are_not_tested():
    none = Guardrails(max_error_rate=None, max_latency_ratio=None, max_disagreement=None, min_accuracy_delta=None)
    plan = PLAN.model_copy(update={"guardrails": none})
    awful = Counts(asked=1_000, failed=500, canary=1_000, pairs=500, slower=500, disagreed=500_000)
    assert judge(plan, [awful, awful], 30).next is Next.ADVANCE


def test_the_guardrails_share_alpha():
    one, three = Guardrails(max_latency_ratio=None, max_disagreement=None), Guardrails()
    counts = [Counts(asked=100, failed=5)]
    (alone,), (first, *_) = findings(one, counts, 3), findings(three, counts, 3)
    assert alone.log_needed == pytest.approx(first.log_needed - 1.0986, abs=1e-4)
    assert 2.718281828**alone.log_needed == pytest.approx(1 / ALPHA)


def test_counts_of_a_record_have_what_moved_and_add_up():
    first, second = Counts.from_record({"pairs": 3, "g3": 7, "l19": 2, "g20": 1}), Counts(pairs=1, moved={"g3": 1})
    assert first == Counts(pairs=3, moved={"g3": 7, "l19": 2})
    assert first + second == Counts(pairs=4, moved={"g3": 8, "l19": 2})


def test_counts_of_a_record_pass_over_what_they_do_not_know():
    assert Counts.from_record({"asked": 3, "a later one": 4, "series": "x"}) == Counts(asked=3)
