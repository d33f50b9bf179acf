"""GET /metrics: the platform in Prometheus' text format. Beside it the count of transitions, kept as they end, and what
CloudWatch's alarms need to know, on a schedule."""

import time
from typing import Any

from fastapi import APIRouter, Response

from metrics.exposition import CONTENT_TYPE, render
from metrics.health_report import report
from metrics.sources import Sources
from metrics.transition_events import count_transition
from mlops.api.http import CurrentCaller, lambda_handler

router = APIRouter(tags=["platform"])
KEPT_SECONDS = 5.0
"""Several Prometheus servers that scrape at a time cost one reading."""

_kept: tuple[float, bytes] = (-KEPT_SECONDS, b"")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(_: CurrentCaller) -> Response:
    """Predictions, drift, jobs, transitions and queues, for Prometheus."""
    global _kept
    if time.monotonic() - _kept[0] >= KEPT_SECONDS:
        _kept = (time.monotonic(), render(Sources.from_environment().read()))
    return Response(_kept[1], media_type=CONTENT_TYPE)


def on_event(event: dict[str, Any], context: Any) -> None:
    """A `Model Transition` event, or the schedule's."""
    if event.get("detail-type") == "Model Transition":
        count_transition(event["detail"])
    else:
        report(Sources.from_environment().read())


handler = lambda_handler(router, on_event=on_event)
