"""Tell people that a transition waits for approval: on the SNS topic of alerts."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from mlops.domain.approval import EXPIRES_AFTER

REQUESTED = "Approval Requested"


class ApprovalNotices:
    """Publishes to the topic `ALERTS_TOPIC`."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._sns = boto3.client("sns")

    @classmethod
    def from_environment(cls) -> "ApprovalNotices":
        return _notices(os.environ["ALERTS_TOPIC"])

    def requested(self, detail: Mapping[str, Any]) -> None:
        """Tell of a transition, given the detail of its event `Approval Requested`.

        Raises:
            ClientError: SNS does not take it.
        """
        subject = f"Approval requested: {detail.get('model_name')} version {detail.get('version')}"
        self._sns.publish(TopicArn=self._topic, Subject=subject[:100], Message=_text(detail))


def _text(detail: Mapping[str, Any]) -> str:
    transition, actor = detail.get("transition_id"), detail.get("actor")
    owners = detail.get("owners") or ()
    version = f"{detail.get('model_name')} version {detail.get('version')}"
    rollout = detail.get("rollout_id")
    step = f"be rolled out to {detail.get('stage')}" if rollout else f"move to {detail.get('stage')}"
    lines = [
        f"{version} waits for approval to {step}.",
        f"Requested by {actor}: {detail.get('reason') or 'no reason given'}",
        f"Approvals that it needs: {detail.get('approvals_needed')}, by others than {actor}, with the role approve",
        *([f"It waits again, because {detail['void']}"] if detail.get("void") else []),
        *([f"Owners of the model: {', '.join(map(str, owners))}"] if owners else []),
        "",
        *([f"GET /models/{detail.get('model_name')}/rollouts/{rollout} shows the plan."] if rollout else []),
        f"GET /models/transitions/{transition} shows the gate's results and what changed. Then",
        f'  mlops approve {transition} --comment "..."',
        f'  mlops reject {transition} --comment "..."',
        f"Without a decision it is rejected after {EXPIRES_AFTER.days} days.",
    ]
    return "\n".join(lines)


@cache
def _notices(topic: str) -> ApprovalNotices:
    return ApprovalNotices(topic)
