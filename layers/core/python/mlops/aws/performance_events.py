"""Announce that a model does worse than in training: on an SNS topic for people, on EventBridge for programs."""

import os
from functools import cache

import boto3

from mlops.aws.eventbridge import Events
from mlops.domain.feedback.record import PerformanceRecord

ALERT, RECOVERED = "Performance Alert", "Performance Recovered"


class PerformanceEvents:
    """Publishes to the topic `ALERTS_TOPIC` and to the bus `EVENT_BUS`."""

    def __init__(self, topic: str, bus: str) -> None:
        self._topic, self._events = topic, Events(bus)
        self._sns = boto3.client("sns")

    @classmethod
    def from_environment(cls) -> "PerformanceEvents":
        return _events(os.environ["ALERTS_TOPIC"], os.environ["EVENT_BUS"])

    def alert(self, record: PerformanceRecord) -> None:
        """Publish `Performance Alert`. Raises DependencyUnavailable."""
        self._events.put(ALERT, record.detail())
        self._notify("Performance alert", record)

    def recovered(self, record: PerformanceRecord) -> None:
        """Publish `Performance Recovered`: the last alert is over. Raises DependencyUnavailable."""
        self._events.put(RECOVERED, record.detail())
        self._notify("Performance recovered", record)

    def _notify(self, what: str, record: PerformanceRecord) -> None:
        subject = f"{what}: {record.model_name} version {record.model_version}"
        lines = [
            f"{record.model_name} version {record.model_version}: {record.status}",
            record.message,
            "",
            f"GET /performance/status?model_name={record.model_name} shows the current state.",
        ]
        self._sns.publish(TopicArn=self._topic, Subject=subject[:100], Message="\n".join(lines))


@cache
def _events(topic: str, bus: str) -> PerformanceEvents:
    return PerformanceEvents(topic, bus)
