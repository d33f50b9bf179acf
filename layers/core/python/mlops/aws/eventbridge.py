"""Publish the platform's events on EventBridge, for other programs."""

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, TypedDict, get_type_hints

import boto3

from mlops.aws.batch_job import BatchJob
from mlops.domain.batch_prediction import BatchPrediction
from mlops.domain.cleanup import Cleanup
from mlops.domain.drift.retrain import RetrainRequest
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.job import Job, Sweep
from mlops.domain.rollout.rollout import Rollout, described
from mlops.domain.transition import Transition

SOURCE = "mlops"


class TransitionDetail(TypedDict):
    """Detail of a `Model Transition` event: the fields of a transition that has ended."""

    transition_id: str
    model_name: str
    version: int
    stage: str
    status: str
    from_stage: str | None
    replaced_version: int | None
    actor: str
    reason: str | None
    error: str | None


class ApprovalDetail(TransitionDetail):
    """Detail of an `Approval Requested` event: the transition that waits, and who is to be told."""

    owners: list[str]
    approvals_needed: int
    void: str | None
    rollout_id: str | None


class JobEndDetail(TypedDict):
    """Detail of a `Job Ended` or `Sweep Ended` event: fields of the record of a job outside sweeps, or of a sweep."""

    job_id: str
    status: str
    model_name: str | None
    experiment_name: str
    model_version: int | None
    actor: str | None
    error: str | None
    completed_at: str | None


class BatchPredictionEndDetail(TypedDict):
    """Detail of a `Batch Prediction Ended` event: fields of its record."""

    batch_id: str
    status: str
    model_name: str
    model_version: int
    output: str
    rows: int | None
    rejected: int | None
    actor: str
    error: str | None
    completed_at: str | None


class Events:
    """Puts events on a bus. Other stacks of the account may use the same one, so each event names its stack."""

    def __init__(self, bus: str) -> None:
        self._bus, self._stack = bus, os.environ.get("STACK_ID")
        self._events = boto3.client("events")

    @classmethod
    def from_environment(cls) -> "Events":
        return _events_on(os.environ["EVENT_BUS"])

    def transition_ended(self, transition: Transition) -> None:
        """Publish `Model Transition`, at least once. Consumers recognise a repeated event by its transition_id.

        Raises:
            DependencyUnavailable: EventBridge did not accept it.
        """
        self.put("Model Transition", _detail(TransitionDetail, transition))

    def job_ended(self, record: Job | Sweep) -> None:
        """Publish `Job Ended` or `Sweep Ended`, at least once. Consumers recognise a repeated event by its job_id.

        Raises:
            DependencyUnavailable: EventBridge did not accept it.
        """
        self.put("Sweep Ended" if isinstance(record, Sweep) else "Job Ended", _detail(JobEndDetail, record))

    def batch_prediction_ended(self, batch: BatchPrediction) -> None:
        """Publish `Batch Prediction Ended`, at least once. Consumers recognise a repeated event by its batch_id.

        Raises:
            DependencyUnavailable: EventBridge did not accept it.
        """
        self.put("Batch Prediction Ended", _detail(BatchPredictionEndDetail, batch))

    def approval_requested(self, transition: Transition, owners: list[str]) -> None:
        """Publish `Approval Requested`, at least once each time that a transition begins to wait.

        Raises:
            DependencyUnavailable: EventBridge did not accept it.
        """
        names = get_type_hints(ApprovalDetail).keys() - {"owners"}
        self.put("Approval Requested", {name: getattr(transition, name) for name in sorted(names)} | {"owners": owners})

    def rollout_started(self, rollout: Rollout) -> None:
        """Publish `Rollout Started`, at least once. Consumers recognise a repeated event by its rollout_id.

        Raises:
            DependencyUnavailable: EventBridge did not accept it.
        """
        self.put("Rollout Started", {"model_name": rollout.model_name, **described(rollout)})

    def rollout_ended(self, rollout: Rollout) -> None:
        """Publish `Rollout Ended`, likewise, with the figures of the last look."""
        self.put("Rollout Ended", {"model_name": rollout.model_name, **described(rollout)})

    def cleanup_ended(self, cleanup: Cleanup) -> None:
        """Publish `Cleanup Ended`, with the counts of what was done.

        Raises:
            DependencyUnavailable: EventBridge did not accept it.
        """
        self.put("Cleanup Ended", cleanup.detail())

    def job_state(self, job: BatchJob) -> None:
        """Publish `Batch Job State Change` in place of AWS Batch's own event, which was lost."""
        self.put("Batch Job State Change", job)

    def request_retrain(self, request: RetrainRequest) -> None:
        """Publish `Retrain Requested`, which the training function carries out.

        Raises:
            DependencyUnavailable: EventBridge did not take it.
        """
        self.put("Retrain Requested", request.model_dump())

    def put(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        """Publish any event. Raises DependencyUnavailable.

        Its `resources` are the stack's ARN, by which the stack's own rules choose.
        """
        entry: dict[str, Any] = {"Source": SOURCE, "DetailType": detail_type, "EventBusName": self._bus}
        entry["Detail"] = json.dumps(detail, default=str)
        if self._stack:
            entry["Resources"] = [self._stack]
        if self._events.put_events(Entries=[entry])["FailedEntryCount"]:
            raise DependencyUnavailable("EventBridge did not accept the event; it is sent again later")


def _detail(fields: type, record: object) -> dict[str, Any]:
    """Return the fields of a record that an event has."""
    return {name: getattr(record, name) for name in get_type_hints(fields)}


@cache
def _events_on(bus: str) -> Events:
    return Events(bus)
