"""Count transitions by outcome from `Model Transition` events, once per transition."""

from functools import cache

from mlops.aws.eventbridge import TransitionDetail
from mlops.aws.stats_table import TRANSITIONS, Marker, PredictionStats


@cache
def _stats() -> PredictionStats:
    return PredictionStats.from_environment()


def count_transition(detail: TransitionDetail) -> None:
    """Count a transition. If its event comes again, its id prevents a second count."""
    name = f"{detail['model_name']}/{detail['stage']}/{detail['status']}"
    _stats().add([Marker(f"transition {detail['transition_id']}")], {}, {TRANSITIONS: {name: 1}})
