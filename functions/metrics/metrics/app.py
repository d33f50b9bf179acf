"""GET /metrics in Prometheus' text format. The function also counts transitions that end, and reports metrics for
CloudWatch's alarms on a schedule."""

import time
from typing import Any

from fastapi import APIRouter, Response

from metrics.exposition import CONTENT_TYPE, render
from metrics.health_report import report
from metrics.sources import Sources
from metrics.transition_events import count_transition
from mlops.api.auth import require_all
from mlops.api.http import CurrentCaller, lambda_handler

router = APIRouter(tags=["platform"])
CACHE_SECONDS = 5.0
"""Several Prometheus servers that scrape at the same time cause one reading."""

_cached: tuple[float, bytes] = (-CACHE_SECONDS, b"")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(caller: CurrentCaller) -> Response:
    """Return metrics of predictions, drift, jobs, transitions and queues in Prometheus' text format."""
    require_all(caller, "GET /metrics, which has the metrics of all models,")
    global _cached
    if time.monotonic() - _cached[0] >= CACHE_SECONDS:
        _cached = (time.monotonic(), render(Sources.from_environment().read()))
    return Response(_cached[1], media_type=CONTENT_TYPE)


def on_event(event: dict[str, Any], context: Any) -> None:
    """Handle a `Model Transition` event or that of the schedule."""
    if event.get("detail-type") == "Model Transition":
        count_transition(event["detail"])
    else:
        report(Sources.from_environment().read())


handler = lambda_handler(router, on_event=on_event)
