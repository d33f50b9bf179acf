"""Decide what happens to a rollout next: it waits, goes on, ends, or goes back."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mlops.domain.rollout.counts import Counts, total
from mlops.domain.rollout.guardrails import Finding, broken, findings
from mlops.domain.rollout.plan import WEEK, Plan, Step


class Next(StrEnum):
    WAIT = "wait"
    ADVANCE = "advance"
    PROMOTE = "promote"
    """All phases are done: the version goes to Production by an ordinary transition."""
    ROLL_BACK = "roll_back"
    """A guardrail is broken."""
    GIVE_UP = "give_up"
    """The phase has not seen enough requests in its time."""


@dataclass(frozen=True)
class Verdict:
    """What happens next, why in a sentence, and the figures that this rests on."""

    next: Next
    reason: str
    findings: tuple[Finding, ...]
    broken: Finding | None = None


def judge(plan: Plan, phases: Sequence[Counts], minutes: float) -> Verdict:
    """Judge a rollout. The guardrails come first, in every phase and whatever its time.

    Args:
        plan: Its steps and guardrails.
        phases: The counts of each phase so far; the last one is the present phase.
        minutes: How long the present phase lasts.
    """
    planned = len(plan.weights)
    results = tuple(findings(plan.guardrails, phases, planned))
    if (finding := broken(results)) is not None:
        return Verdict(Next.ROLL_BACK, told(finding), results, finding)
    step = plan.step_of(len(phases) - 1)
    if (lack := _lacking(plan, step, phases, minutes)) is None:
        last = len(phases) == planned
        return Verdict(Next.PROMOTE if last else Next.ADVANCE, "time and requests are enough", results)
    longest = WEEK if step is None else step.max_minutes
    if minutes >= longest:
        return Verdict(Next.GIVE_UP, f"after {longest} minutes {lack}", results)
    return Verdict(Next.WAIT, lack, results)


def _lacking(plan: Plan, step: Step | None, phases: Sequence[Counts], minutes: float) -> str | None:
    """Return what the phase still needs; None if it has all. Labels come late, so those of earlier phases count."""
    counts = phases[-1]
    least = plan.shadow_minutes if step is None else step.minutes
    if minutes < least:
        return f"the phase takes {least} minutes"
    needed, seen = (plan.steps[0].min_requests, counts.asked) if step is None else (step.min_requests, counts.canary)
    labels, labelled = step.min_labels if step else 0, total(phases).labelled
    if seen >= needed:
        return f"{labelled} compared rows have a label, and {labels} are needed" if labelled < labels else None
    skipped = f"; {counts.skipped} were skipped, because it is not loaded or too slow" if counts.skipped else ""
    done = "was asked" if step is None else "has answered"
    return f"the challenger {done} {seen} requests, and {needed} are needed{skipped}"


def told(finding: Finding) -> str:
    """Return what a guardrail says that is broken, with its figures."""
    observed = finding.observed or 0.0
    match finding.guardrail:
        case "max_error_rate":
            what = f"{observed:.2%} of {finding.observations} requests failed, and at most {finding.limit:.2%} may"
        case "max_latency_ratio":
            what = (
                f"{observed:.0%} of {finding.observations} requests took more than {finding.limit:g} times as long as "
                "in Production, and at most half may"
            )
        case "max_disagreement":
            what = (
                f"{observed:.1%} of the answers to {finding.observations} requests differ from Production's, and at "
                f"most {finding.limit:.1%} may"
            )
        case "max_confidence_drop":
            what = (
                f"in {observed:.0%} of the rows of {finding.observations} requests it was less sure than Production by "
                f"more than {finding.limit:g}, and at most half may"
            )
        case "max_prediction_shift":
            what = (
                f"an answer is more or less frequent than in Production by {observed:.1%} of {finding.observations} "
                f"requests, and at most by {finding.limit:.1%} may"
            )
        case _:
            what = (
                f"the accuracy on {finding.observations} rows with labels differs from Production's by "
                f"{observed:+.2%}, and must by at least {finding.limit:+.2%}"
            )
    return f"{finding.guardrail}: {what}"
