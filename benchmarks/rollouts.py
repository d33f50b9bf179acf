"""Rollouts by simulation: false rollbacks of challengers that are good enough, and the end of six kinds of bad ones.

    python -m benchmarks.rollouts [--rollouts 1000] [--bad 200]

Customers send requests as Zipf's law has it, and each has a difficulty of its own: how often two versions differ on its
rows, and how often both are wrong. The routing, the tests and the verdicts are the platform's own, once a minute.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks import machine
from mlops.domain.rollout.counts import PARTS, Counts, total
from mlops.domain.rollout.guardrails import ALPHA
from mlops.domain.rollout.plan import Guardrails, Plan, Step
from mlops.domain.rollout.routing import in_canary
from mlops.domain.rollout.verdict import Next, judge

CUSTOMERS = 2_000
REQUESTS_PER_MINUTE = 120
LABELLED = 0.5
"""Share of the compared rows whose label comes; here it comes at once."""
GUARDRAILS = Guardrails(min_accuracy_delta=0.0, max_confidence_drop=0.1, max_prediction_shift=0.1)
PLAN = Plan(
    steps=[Step(weight=5, minutes=30, max_minutes=600), Step(weight=25, minutes=60, max_minutes=600)],
    shadow_minutes=30,
    guardrails=GUARDRAILS,
)
LONG = Plan(
    steps=[Step(weight=5, minutes=240, max_minutes=600), Step(weight=25, minutes=720, max_minutes=900)],
    shadow_minutes=240,
    guardrails=GUARDRAILS,
)
"""Of the subtly worse challenger, which takes many labels to find."""


@dataclass(frozen=True)
class Challenger:
    """How a challenger differs from the champion.

    Attributes:
        disagreement: Mean share of the rows that it answers differently.
        errors: Share of the requests that only it cannot answer.
        slower: Share of the compared requests that take it longer than the guardrail's ratio.
        unsure: Share of the compared rows of which it is less sure by more than the guardrail's limit.
        leaning: Share of the other rows that it gives one and the same other label. Those of `disagreement` differ both
            ways.
        worse: Share of the labelled rows that it answers right less often than the champion.
        drift: How much the disagreement grows in a minute of the canary.
    """

    disagreement: float = 0.08
    errors: float = 0.002
    slower: float = 0.1
    unsure: float = 0.1
    leaning: float = 0.0
    worse: float = 0.0
    drift: float = 0.0


GOOD = {
    "as good (A/A: retrained on the same data)": Challenger(),
    "the same model": Challenger(0.0, 0.0, 0.02),
    "on every limit at once": Challenger(0.1, 0.01, 0.5, 0.5, 0.1 / 0.9),
}
BAD = {
    "wrong (differs in half of the rows)": (Challenger(disagreement=0.5), PLAN),
    "slow (three times as long)": (Challenger(slower=0.97), PLAN),
    "crashing (fails 20 % of the requests)": (Challenger(errors=0.2), PLAN),
    "crashing rarely (5 %)": (Challenger(errors=0.05), PLAN),
    "less sure (in four fifths of the rows)": (Challenger(unsure=0.8), PLAN),
    "leaning (one label in 18 % more of the rows)": (Challenger(disagreement=0.0, leaning=0.18), PLAN),
    "drifting (one point more each minute)": (Challenger(drift=0.01), PLAN),
    "subtly worse (3 points, half of the rows labelled)": (Challenger(worse=0.03), LONG),
}


@dataclass(frozen=True)
class End:
    """How a simulated rollout ended: the last verdict, the guardrail, after how many minutes, and what it saw."""

    next: Next
    guardrail: str | None
    minutes: int
    counts: Counts


class Traffic:
    """Customers and their requests."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        shares = 1 / np.arange(1, CUSTOMERS + 1)
        self._shares = shares / shares.sum()
        # Rows of difficult customers differ most. Their mean is 1, weighted by their requests.
        difficulty = random.gamma(2.0, 0.5, CUSTOMERS)
        self.difficulty = difficulty / (difficulty * self._shares).sum()

    def minute(self) -> np.ndarray:
        """Return the customer of each request of a minute."""
        return self._random.choice(CUSTOMERS, self._random.poisson(REQUESTS_PER_MINUTE), p=self._shares)


def simulate(challenger: Challenger, plan: Plan, seed: int) -> End:
    """Let one rollout run to its end."""
    random = np.random.default_rng(seed)
    traffic, rollout_id = Traffic(random), f"ro_{seed}"
    phases: list[Counts] = []
    elapsed = canary_minutes = 0
    for weight in plan.weights:
        canary = np.array([in_canary(rollout_id, f"customer {number}", weight) for number in range(CUSTOMERS)])
        phases.append(Counts())
        minutes = 0
        while True:
            minutes, elapsed, canary_minutes = minutes + 1, elapsed + 1, canary_minutes + (weight > 0)
            now = replace(challenger, disagreement=challenger.disagreement + challenger.drift * canary_minutes)
            phases[-1] += _minute(now, plan, traffic, canary, random)
            verdict = judge(plan, phases, minutes)
            if verdict.next is Next.ADVANCE:
                break
            if verdict.next is not Next.WAIT:
                guardrail = verdict.broken.guardrail if verdict.broken else None
                return End(verdict.next, guardrail, elapsed, total(phases))
    raise AssertionError("the last phase ends the rollout")


def _minute(
    challenger: Challenger, plan: Plan, traffic: Traffic, canary: np.ndarray, random: np.random.Generator
) -> Counts:
    """Return the counts of a minute's requests, of one row each."""
    customers = traffic.minute()
    n = len(customers)
    answers = canary[customers]
    compared = random.random(n) < plan.shadow_share
    asked = answers | compared
    fails = asked & (random.random(n) < challenger.errors)
    pairs = compared & ~fails
    differs = np.minimum(1.0, challenger.disagreement * traffic.difficulty[customers])
    disagreed = pairs & (random.random(n) < differs)
    leans = pairs & ~disagreed & (random.random(n) < challenger.leaning)
    to_first = int((leans | (disagreed & (random.random(n) < 0.5))).sum())
    to_second = int((leans | disagreed).sum()) - to_first
    labelled = pairs & (random.random(n) < LABELLED)
    # Of the rows that differ, or that it is worse in, one of the two versions is right.
    lost_share = np.minimum(1.0, 0.4 * differs + challenger.worse)
    outcome = random.random(n)
    lost = labelled & (outcome < lost_share)
    won = labelled & ~lost & (outcome < lost_share + 0.4 * differs)
    return Counts(
        requests=n,
        canary=int((answers & ~fails).sum()),
        asked=int(asked.sum()),
        failed=int(fails.sum()),
        pairs=int(pairs.sum()),
        disagreed=PARTS * (to_first + to_second),
        unsure=PARTS * int((pairs & (random.random(n) < challenger.unsure)).sum()),
        moved={"g0": PARTS * to_first, "l1": PARTS * to_first, "g1": PARTS * to_second, "l0": PARTS * to_second},
        slower=int((pairs & (random.random(n) < challenger.slower)).sum()),
        labelled=int(labelled.sum()),
        lost=int(lost.sum()),
        won=int(won.sum()),
    )


def false_rollbacks(challenger: Challenger, rollouts: int) -> float:
    """Return the share of rollouts of a challenger within its limits that are rolled back."""
    ends = [simulate(challenger, PLAN, seed) for seed in range(rollouts)]
    return sum(end.next is Next.ROLL_BACK for end in ends) / rollouts


def stops(challenger: Challenger, plan: Plan, rollouts: int) -> dict[str, Any]:
    """Return how a bad challenger's rollouts end."""
    ends = [simulate(challenger, plan, 100_000 + seed) for seed in range(rollouts)]
    stopped = [end for end in ends if end.next is Next.ROLL_BACK]

    def of(measure: Callable[[End], float], percent: float) -> float | None:
        return float(np.percentile([measure(end) for end in stopped], percent)) if stopped else None

    return {
        "stopped": len(stopped) / rollouts,
        "guardrails": sorted({str(end.guardrail) for end in stopped}),
        "minutes_p50": of(lambda end: end.minutes, 50),
        "minutes_p90": of(lambda end: end.minutes, 90),
        "asked_p50": of(lambda end: end.counts.asked, 50),
        "labelled_p50": of(lambda end: end.counts.labelled, 50),
        "answered_share_p90": of(lambda end: end.counts.canary / end.counts.requests, 90),
    }


def main() -> None:
    """Print the tables and write them to benchmarks/results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=1000)
    parser.add_argument("--bad", type=int, default=200)
    arguments = parser.parse_args()
    about = machine.describe("numpy")
    false = {name: false_rollbacks(challenger, arguments.rollouts) for name, challenger in GOOD.items()}
    ends = {name: stops(challenger, plan, arguments.bad) for name, (challenger, plan) in BAD.items()}
    first = machine.table(["challenger", "rolled back"], [[name, f"{share:.2%}"] for name, share in false.items()])
    second = machine.table(
        [
            "challenger",
            "stopped",
            "minutes, median",
            "p90",
            "asked",
            "labels",
            "of all requests it answered, p90",
            "by",
        ],
        [
            [
                name,
                f"{end['stopped']:.1%}",
                end["minutes_p50"],
                end["minutes_p90"],
                end["asked_p50"],
                end["labelled_p50"],
                f"{end['answered_share_p90'] or 0:.2%}",
                ", ".join(end["guardrails"]),
            ]
            for name, end in ends.items()
        ],
    )
    text = (
        f"{CUSTOMERS:,} customers by Zipf's law, {REQUESTS_PER_MINUTE} requests a minute, a verdict a minute; a shadow "
        f"of {PLAN.shadow_minutes} minutes, then 5 % for 30 minutes and 25 % for 60, both versions asked for "
        f"{PLAN.shadow_share:.0%} of the requests. Limits: "
        f"{', '.join(f'{name} {limit:g}' for name, limit in GUARDRAILS.model_dump().items())}; together they may be "
        f"wrong in {ALPHA:.1%} of the rollouts.\n\n"
        f"## False rollbacks of {arguments.rollouts:,} rollouts\n\n{first}\n"
        f"## Bad challengers, {arguments.bad} rollouts each\n\n{second}\n"
        f"The subtly worse one has phases of 4, 4 and 12 hours. Numbers without a percent sign are medians.\n"
    )
    print(text)
    result = {"machine": about, "plan": PLAN.model_dump(), "false_rollbacks": false, "bad": ends}
    machine.write("rollouts", "Rollouts", result, text)


if __name__ == "__main__":
    main()
