"""prediction_log counts the lines of a rollout by phase, each once, and its challenger apart from Production."""

import json
import time
from typing import Any

import pytest

from mlops.aws.stats_table import Marker, Series, fits
from mlops.domain.rollout.counts import Malformed, counts_of_line
from prediction_log.delivery import Delivery, Line
from prediction_log.ledger import count_delivery
from tests.unit.rollout.conftest import World

ROLLOUT = "ro_0123456789abcdef0123"


def line(number: int, step: int, variant: str | None = None, version: int = 1, **counts: int) -> Line:
    fields: dict[str, Any] = {
        "event": "mlops.prediction", "request_id": f"r{number}", "status": 200, "cache": "miss", "staleness_s": 0.1,
        "latency_ms": 1.25, "model_name": "digit-classifier", "model_version": version, "stage": "Production", "n": 1,
        "predictions": [3], "confidences": [0.9], "signals_permille": None,
        "rollout": {"id": ROLLOUT, "step": step, "requests": 1, **counts},
    }  # fmt: skip
    if variant is not None:
        fields["variant"] = variant
    return Line(f"line-{number}", time.time(), json.dumps(fields))


def count(world: World, *lines: Line) -> int:
    return sum(
        part.lines for part in count_delivery(world.stats, lambda kept, samples: None, Delivery("stream", lines))
    )


def test_lines_are_counted_by_phase_and_once(world: World) -> None:
    lines = [
        line(0, 0, asked=1, pairs=1, disagreed=250),
        line(1, 0, asked=1, pairs=1, slower=1, disagreed=1000),
        line(2, 1),
        line(3, 1, "canary", 2, canary=1, asked=1),
    ]
    assert count(world, *lines) == 4
    assert count(world, *lines) == 0
    assert count(world, *lines, line(4, 1, skipped=1)) == 1
    assert world.stats.rollout(ROLLOUT) == {
        0: {"requests": 2, "asked": 2, "pairs": 2, "disagreed": 1250, "slower": 1},
        1: {"requests": 3, "canary": 1, "asked": 1, "skipped": 1},
    }


def test_the_challengers_answers_are_a_series_of_their_own(world: World) -> None:
    count(world, line(0, 1), line(1, 1, "canary", 2, canary=1))
    totals = world.stats.totals("digit-classifier")
    assert {series: counts["n"] for series, counts in totals.items()} == {
        Series("digit-classifier", 1, "Production"): 1,
        Series("digit-classifier", 2, "Canary"): 1,
    }


def test_an_unknown_variant_is_still_skipped(world: World) -> None:
    assert count(world, line(0, 1, "experiment", 2)) == 0
    assert world.stats.rollout(ROLLOUT) == {}


@pytest.mark.parametrize(
    "entry",
    [
        [], "x", {}, {"id": "ro_1", "step": 0}, {"id": ROLLOUT}, {"id": ROLLOUT, "step": -1},
        {"id": ROLLOUT, "step": True}, {"id": ROLLOUT, "step": 0, "failed": 2},
        {"id": ROLLOUT, "step": 0, "failed": "1"}, {"id": ROLLOUT, "step": 0, "disagreed": 1001},
    ],
)  # fmt: skip
def test_a_spoiled_field_is_refused_and_decides_nothing(world: World, entry: Any) -> None:
    with pytest.raises(Malformed):
        counts_of_line(entry)
    spoiled = line(0, 0)
    text = json.dumps({**json.loads(spoiled.text), "rollout": entry})
    assert count(world, Line("line-0", spoiled.seconds, text)) == 0


def test_a_later_versions_counts_are_passed_over() -> None:
    assert counts_of_line({"id": ROLLOUT, "step": 2, "asked": 1, "a later one": 7}) == ((ROLLOUT, 2), {"asked": 1})


def test_a_transaction_has_room_for_the_rollouts_counts() -> None:
    markers = [Marker(f"minute {number}") for number in range(99)]
    assert fits(markers, {}, {}, {}, {(ROLLOUT, 0): {"asked": 1}})
    assert not fits(markers, {}, {}, {}, {(ROLLOUT, 0): {"asked": 1}, (ROLLOUT, 1): {"asked": 1}})
