"""Transitions by outcome: a counter for ever, raised by each `Model Transition` event, once a transition."""

from functools import cache
from typing import Any

from mlops.aws.stats_table import TRANSITIONS, Marker, PredictionStats


@cache
def _stats() -> PredictionStats:
    return PredictionStats.from_environment()


def count_transition(detail: dict[str, Any]) -> None:
    """Events come at least once; the transition's id makes them count once."""
    name = f"{detail['model_name']}/{detail['stage']}/{detail['status']}"
    _stats().add([Marker(f"transition {detail['transition_id']}")], {}, {TRANSITIONS: {name: 1}})
