"""Compute environments, job queues and job definitions: what a stack creates before any job.

The store keeps each of them as the JSON that AWS shows of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
"""JSON in AWS's own shape."""

ENABLED = "ENABLED"
ACTIVE, INACTIVE = "ACTIVE", "INACTIVE"


def name_of(reference: str) -> str:
    """The name in an ARN, or the name itself."""
    return reference.split("/", 1)[1] if reference.startswith("arn:") and "/" in reference else reference


@dataclass(frozen=True)
class ComputeEnvironment:
    """Where jobs would run on AWS. Here only its kind matters: it says how the host of a job can go away."""

    name: str
    arn: str
    kind: str

    @property
    def key(self) -> str:
        return self.name

    @property
    def is_spot(self) -> bool:
        return self.kind == "FARGATE_SPOT"

    def document(self) -> Document:
        return {
            "computeEnvironmentName": self.name,
            "computeEnvironmentArn": self.arn,
            "computeResources": {"type": self.kind},
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> ComputeEnvironment:
        kind = (document.get("computeResources") or {}).get("type", "")
        return cls(document["computeEnvironmentName"], document["computeEnvironmentArn"], kind)


@dataclass(frozen=True)
class JobQueue:
    """A queue. `environments` are references to compute environments; jobs go to the first of them."""

    name: str
    arn: str
    priority: int
    state: str
    environments: Sequence[str]

    @property
    def key(self) -> str:
        return self.name

    def document(self) -> Document:
        return {
            "jobQueueName": self.name,
            "jobQueueArn": self.arn,
            "priority": self.priority,
            "state": self.state,
            "status": "VALID",
            "statusReason": "JobQueue Healthy",
            "computeEnvironmentOrder": [
                {"order": number, "computeEnvironment": each} for number, each in enumerate(self.environments, 1)
            ],
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> JobQueue:
        order = sorted(document.get("computeEnvironmentOrder") or (), key=lambda entry: int(entry.get("order", 0)))
        return cls(
            name=document["jobQueueName"],
            arn=document["jobQueueArn"],
            priority=int(document.get("priority", 1)),
            state=document.get("state", ENABLED),
            environments=tuple(entry["computeEnvironment"] for entry in order),
        )


@dataclass(frozen=True)
class JobDefinition:
    """One revision of a job definition. `container` has AWS's containerProperties as they were registered."""

    name: str
    revision: int
    arn: str
    status: str
    container: Mapping[str, Any]
    retry_strategy: Mapping[str, Any] | None = None
    timeout: Mapping[str, Any] | None = None
    propagate_tags: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    platform_capabilities: Sequence[str] = ()

    @property
    def key(self) -> str:
        return f"{self.name}:{self.revision}"

    def document(self) -> Document:
        document: Document = {
            "jobDefinitionName": self.name,
            "jobDefinitionArn": self.arn,
            "revision": self.revision,
            "status": self.status,
            "type": "container",
            "containerProperties": dict(self.container),
            "propagateTags": self.propagate_tags,
            "tags": dict(self.tags),
            "platformCapabilities": list(self.platform_capabilities),
        }
        if self.retry_strategy:
            document["retryStrategy"] = dict(self.retry_strategy)
        if self.timeout:
            document["timeout"] = dict(self.timeout)
        return document

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> JobDefinition:
        return cls(
            name=document["jobDefinitionName"],
            revision=document["revision"],
            arn=document["jobDefinitionArn"],
            status=document["status"],
            container=document.get("containerProperties") or {},
            retry_strategy=document.get("retryStrategy"),
            timeout=document.get("timeout"),
            propagate_tags=bool(document.get("propagateTags", False)),
            tags=document.get("tags") or {},
            platform_capabilities=tuple(document.get("platformCapabilities") or ()),
        )
