"""Announce drift: on an SNS topic for people, on EventBridge for programs."""

import os
from functools import cache

import boto3

from mlops.aws.eventbridge import Events
from mlops.domain.drift.record import DriftRecord
from mlops.domain.drift.retrain import RetrainRequest

ALERT, RECOVERED = "Drift Alert", "Drift Recovered"


class DriftEvents:
    """Publishes to the topic `ALERTS_TOPIC` and to the bus `EVENT_BUS`."""

    def __init__(self, topic: str, bus: str) -> None:
        self._topic, self._events = topic, Events(bus)
        self._sns = boto3.client("sns")

    @classmethod
    def from_environment(cls) -> "DriftEvents":
        return _events(os.environ["ALERTS_TOPIC"], os.environ["EVENT_BUS"])

    def alert(self, record: DriftRecord) -> None:
        """Publish `Drift Alert`. Raises DependencyUnavailable."""
        self._events.put(ALERT, record.detail())
        self._notify("Drift alert", record)

    def recovered(self, record: DriftRecord) -> None:
        """Publish `Drift Recovered`: the last alert is over. Raises DependencyUnavailable."""
        self._events.put(RECOVERED, record.detail())
        self._notify("Drift over", record)

    def request_retrain(self, request: RetrainRequest) -> None:
        """Publish `Retrain Requested`. Raises DependencyUnavailable."""
        self._events.request_retrain(request)

    def _notify(self, what: str, record: DriftRecord) -> None:
        subject = f"{what}: {record.model_name} version {record.model_version}"
        self._sns.publish(TopicArn=self._topic, Subject=subject[:100], Message=_text(record))


def _text(record: DriftRecord) -> str:
    lines = [
        f"{record.model_name} version {record.model_version}: {record.status}",
        record.message,
        "",
        *(f"  {text}" for column in record.columns if (text := column.message) and text not in record.message),
        *(f"  {signal.signal:15} against {signal.against:10} PSI {signal.psi:.3f}" for signal in record.signals),
        "",
        f"GET /drift/status?model_name={record.model_name} shows the current state.",
    ]
    return "\n".join(lines)


@cache
def _events(topic: str, bus: str) -> DriftEvents:
    return DriftEvents(topic, bus)
