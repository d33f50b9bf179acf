"""Events the platform puts on EventBridge, so that others can react."""

import json
import os
from functools import cache
from typing import Any

import boto3

from mlops.domain.errors import DependencyUnavailable
from mlops.domain.transition import Transition

SOURCE = "mlops"
TRANSITION_DETAIL = (
    "transition_id",
    "model_name",
    "version",
    "stage",
    "status",
    "from_stage",
    "replaced_version",
    "actor",
    "reason",
    "error",
)


class Events:
    def __init__(self, bus: str) -> None:
        self._bus = bus
        self._events = boto3.client("events")

    @classmethod
    def from_environment(cls) -> "Events":
        return _events_on(os.environ["EVENT_BUS"])

    def transition_ended(self, transition: Transition) -> None:
        """`Model Transition`, with `status` succeeded, rejected or failed; at least once, so consumers go by its id.

        Raises:
            DependencyUnavailable: EventBridge did not take it.
        """
        self._put("Model Transition", {name: getattr(transition, name) for name in TRANSITION_DETAIL})

    def job_state(self, job: dict[str, Any]) -> None:
        """`Batch Job State Change`, of a job as DescribeJobs shows it, in place of AWS Batch's own that was lost."""
        self._put("Batch Job State Change", job)

    def _put(self, detail_type: str, detail: dict[str, Any]) -> None:
        body = json.dumps(detail, default=str)
        entry = {"Source": SOURCE, "DetailType": detail_type, "Detail": body, "EventBusName": self._bus}
        if self._events.put_events(Entries=[entry])["FailedEntryCount"]:
            raise DependencyUnavailable("EventBridge did not take the event")


@cache
def _events_on(bus: str) -> Events:
    return Events(bus)
