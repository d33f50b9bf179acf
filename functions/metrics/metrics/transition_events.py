"""Transitions by outcome: a lifetime counter that each `Model Transition` event raises, once per transition."""

from functools import cache

from mlops.aws.eventbridge import TransitionDetail
from mlops.aws.stats_table import TRANSITIONS, Marker, PredictionStats


@cache
def _stats() -> PredictionStats:
    return PredictionStats.from_environment()


def count_transition(detail: TransitionDetail) -> None:
    """Count a transition. Its event comes at least once, and its id makes it count once."""
    name = f"{detail['model_name']}/{detail['stage']}/{detail['status']}"
    _stats().add([Marker(f"transition {detail['transition_id']}")], {}, {TRANSITIONS: {name: 1}})
