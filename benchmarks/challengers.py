"""Bad challengers of five kinds over a local stack of its own: how soon each is rolled back, and what it has answered.

    python -m benchmarks.challengers [--rounds 3]

In each round all five have a rollout at once, each of a model of its own. What they are is in
tests/support/bad_challengers.py, and the traffic in tests/support/watched_rollouts.py.
"""

import argparse
import statistics
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import machine
from benchmarks.local_stack import api_of, local_stack
from tests.integration.registry_world import make_world
from tests.support.bad_challengers import kinds
from tests.support.watched_rollouts import CUSTOMERS, PLAN, WEIGHT, Watched, watch_all

SECONDS = 600
HEADER = [
    "challenger",
    "seconds to the rollback, median",
    "longest",
    "requests until then",
    "of them it answered",
    "errors of callers",
    "guardrail",
]


def measured(rounds: int) -> list[list[Watched]]:
    """Return the rollouts of each round."""
    with local_stack() as (settings, variables), pytest.MonkeyPatch.context() as patch:
        stack, found = SimpleNamespace(settings=settings, env=variables), []
        for number in range(rounds):
            worlds = {
                kind.name: make_world(stack, patch, f"bad-{kind.name.replace(' ', '-')}-{number}") for kind in kinds()
            }
            found.append(list(watch_all(api_of(variables), worlds, SECONDS).values()))
        return found


def summary(rollouts: list[Watched]) -> dict[str, Any]:
    """Return what the rollouts of one kind have in common."""
    seconds = [each.seconds for each in rollouts]
    requests = sum(len(each.during) for each in rollouts)
    return {
        "status": sorted({each.rollout["status"] for each in rollouts}),
        "guardrails": sorted({str(each.rollout["broken"]) for each in rollouts}),
        "seconds": seconds,
        "seconds_p50": statistics.median(seconds),
        "seconds_max": max(seconds),
        "requests_p50": statistics.median(len(each.during) for each in rollouts),
        "answered_share": sum(len(each.by_challenger) for each in rollouts) / requests,
        "errors": sum(asked.status != 200 for each in rollouts for asked in (*each.during, *each.after)),
        "figures": [each.figure for each in rollouts if each.rollout["broken"]],
    }


def main() -> None:
    """Print the table and write it to benchmarks/results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    about = machine.describe("onnxruntime")
    by_kind = {rollouts[0].kind.name: summary(list(rollouts)) for rollouts in zip(*measured(rounds), strict=True)}
    table = machine.table(
        HEADER,
        [
            [
                name,
                f"{found['seconds_p50']:.0f}",
                f"{found['seconds_max']:.0f}",
                f"{found['requests_p50']:.0f}",
                f"{found['answered_share']:.1%}",
                found["errors"],
                ", ".join(found["guardrails"]),
            ]
            for name, found in by_kind.items()
        ],
    )
    text = (
        f"{rounds} rounds, in each of which all five have a rollout at once: {WEIGHT} % of {CUSTOMERS} customers from "
        "the first request on, without a shadow, and both versions asked for every request. Requests come one after "
        "the other. The look at the rollouts is once a minute. The drifting challenger begins to drift after 20 "
        f"seconds; requests of the subtly worse one have 100 rows, whose labels come within seconds.\n\n{table}"
    )
    print(text)
    machine.write("challengers", "Bad challengers", {"machine": about, "plan": PLAN, "kinds": by_kind}, text)


if __name__ == "__main__":
    main()
