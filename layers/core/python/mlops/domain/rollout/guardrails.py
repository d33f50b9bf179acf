"""Test the guardrails against what the requests have shown. Standard library only, but for the plan's types.

All guardrails of a rollout share ALPHA: with so small a probability, a challenger within all limits is ever rolled
back. The challenger may turn bad in any phase. So the e-value of a guardrail is the mean of those that start counting
with the first phase, the second, and so on, which is an e-value again (Ramdas et al. 2023, see `sequential`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlops.domain.rollout.counts import GAINED, LOST, PARTS, SHIFT_BINS, Counts, total
from mlops.domain.rollout.plan import Guardrails
from mlops.domain.rollout.sequential import excess, log_mean, worse

ALPHA = 0.005
_MEDIAN = 0.5


@dataclass(frozen=True)
class Finding:
    """What is known about one guardrail.

    Attributes:
        guardrail: Its name in the plan.
        limit: Its limit in the plan.
        observed: The same figure of the requests so far; None before there are any. For the ratio of times it is the
            share of the pairs that exceed the ratio, of which at most one half may.
        observations: Of how many requests or rows that is.
        log_evidence: Log e-value against "the challenger is within the limit"; -inf without any.
        log_needed: What it must reach for the guardrail to be broken.
    """

    guardrail: str
    limit: float
    observed: float | None
    observations: int
    log_evidence: float
    log_needed: float

    @property
    def is_broken(self) -> bool:
        return self.log_evidence >= self.log_needed


@dataclass(frozen=True)
class _Test:
    """How a guardrail is tested: what is observed of counts, of how many observations, and the log e-value."""

    guardrail: str
    limit: float
    kind: Callable[[Counts], float]
    observations: Callable[[Counts], int]
    evidence: Callable[[Counts], float]


def findings(guardrails: Guardrails, phases: Sequence[Counts], planned: int) -> list[Finding]:
    """Test each guardrail.

    Args:
        guardrails: Those of the plan.
        phases: The counts of each phase so far, the first one first.
        planned: How many phases the plan has.
    """
    needed = math.log(guardrails.tested / ALPHA) if guardrails.tested else math.inf
    everything = total(phases)
    results = []
    since = [total(phases[start:]) for start in range(len(phases))]
    missing = [-math.inf] * (planned - len(phases))
    for test in _tests(guardrails):
        evidence = [test.evidence(counts) if test.observations(counts) else -math.inf for counts in since]
        n = test.observations(everything)
        observed = test.kind(everything) / n if n else None
        results.append(Finding(test.guardrail, test.limit, observed, n, log_mean([*evidence, *missing]), needed))
    return results


def broken(results: Sequence[Finding]) -> Finding | None:
    """Return the guardrail that is broken most clearly; None if all hold."""
    worst = max(results, key=lambda finding: finding.log_evidence, default=None)
    return worst if worst is not None and worst.is_broken else None


def _tests(guardrails: Guardrails) -> list[_Test]:
    tests = []
    if (errors := guardrails.max_error_rate) is not None:
        tests.append(_rate("max_error_rate", errors, errors, lambda c: c.failed, lambda c: c.asked))
    if (ratio := guardrails.max_latency_ratio) is not None:
        tests.append(_rate("max_latency_ratio", ratio, _MEDIAN, lambda c: c.slower, lambda c: c.pairs))
    if (share := guardrails.max_disagreement) is not None:
        tests.append(_rate("max_disagreement", share, share, lambda c: c.disagreed / PARTS, lambda c: c.pairs))
    if (drop := guardrails.max_confidence_drop) is not None:
        tests.append(_rate("max_confidence_drop", drop, _MEDIAN, lambda c: c.unsure / PARTS, lambda c: c.pairs))
    if (shift := guardrails.max_prediction_shift) is not None:
        tests.append(
            _Test(
                "max_prediction_shift",
                shift,
                lambda c: max(abs(gained - lost) for gained, lost in _moved(c)),
                lambda c: c.pairs,
                lambda c: _shifted(c, shift),
            )
        )
    if (delta := guardrails.min_accuracy_delta) is not None:
        tests.append(
            _Test(
                "min_accuracy_delta",
                delta,
                lambda c: c.won - c.lost,
                lambda c: c.labelled,
                lambda c: worse(c.lost, c.won, c.labelled, -delta),
            )
        )
    return tests


def _moved(counts: Counts) -> list[tuple[float, float]]:
    """Return for each label how many requests the challenger has answered with it more, and fewer."""
    moved = counts.moved
    return [
        (moved.get(f"{GAINED}{number}", 0) / PARTS, moved.get(f"{LOST}{number}", 0) / PARTS)
        for number in range(SHIFT_BINS)
    ]


def _shifted(counts: Counts, shift: float) -> float:
    """Return the log e-value against "no label has gained or lost more than this share of the requests".

    It is the mean of the games about the gain and the loss of each label, all of which bet from the start.
    """
    games = [worse(a, b, counts.pairs, shift) for pair in _moved(counts) for a, b in (pair, pair[::-1])]
    return log_mean(games)


def _rate(
    name: str, limit: float, largest: float, kind: Callable[[Counts], float], observations: Callable[[Counts], int]
) -> _Test:
    return _Test(name, limit, kind, observations, lambda c: excess(kind(c), observations(c), largest))
