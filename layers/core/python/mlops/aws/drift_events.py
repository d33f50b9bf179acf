"""How others hear of drift: an SNS topic for people, EventBridge for programs."""

import json
import os
from functools import cache

import boto3

from mlops.aws.dynamodb import Item
from mlops.aws.eventbridge import SOURCE
from mlops.domain.errors import DependencyUnavailable

ALERT, RECOVERED, RETRAIN = "Drift Alert", "Drift Recovered", "Retrain Requested"


class DriftEvents:
    """Publishes to the topic `ALERTS_TOPIC` and to the bus `EVENT_BUS`."""

    def __init__(self, topic: str, bus: str) -> None:
        self._topic, self._bus = topic, bus
        self._sns = boto3.client("sns")
        self._events = boto3.client("events")

    @classmethod
    def from_environment(cls) -> "DriftEvents":
        return _events(os.environ["ALERTS_TOPIC"], os.environ["EVENT_BUS"])

    def alert(self, detail: Item, text: str) -> None:
        """`Drift Alert`. Raises DependencyUnavailable."""
        self._put(ALERT, detail)
        self._tell(f"Drift alert: {detail['model_name']} version {detail['model_version']}", text)

    def recovered(self, detail: Item, text: str) -> None:
        """`Drift Recovered`: the alert before it is over. Raises DependencyUnavailable."""
        self._put(RECOVERED, detail)
        self._tell(f"Drift over: {detail['model_name']} version {detail['model_version']}", text)

    def request_retrain(self, detail: Item) -> None:
        """`Retrain Requested`, which the training function follows. Raises DependencyUnavailable."""
        self._put(RETRAIN, detail)

    def _put(self, detail_type: str, detail: Item) -> None:
        entry = {"Source": SOURCE, "DetailType": detail_type, "Detail": json.dumps(detail), "EventBusName": self._bus}
        if self._events.put_events(Entries=[entry])["FailedEntryCount"]:
            raise DependencyUnavailable("EventBridge did not take the event")

    def _tell(self, subject: str, text: str) -> None:
        self._sns.publish(TopicArn=self._topic, Subject=subject[:100], Message=text)


@cache
def _events(topic: str, bus: str) -> DriftEvents:
    return DriftEvents(topic, bus)
