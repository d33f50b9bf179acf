"""A job's record: how it is made from a submission, and how DescribeJobs and the events show it.

Names that start with an underscore are the service's own and never leave it. A child of an array job records only
what differs from its parent, so that an array of 10,000 stays small.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.local.aws.batch.rules import STATUSES, child_id, merge_environment, substitute

Record = dict[str, Any]

_OVERRIDDEN = ("command", "resourceRequirements", "vcpus", "memory", "instanceType")
_PARENTS_OWN = ("status", "statusReason", "startedAt", "stoppedAt", "attempts", "arrayProperties", "isTerminated")
INTERRUPTED_SPOT = "Your Spot Task was interrupted."
INTERRUPTED_HOST = "Host EC2 (instance i-0000000000local) terminated."


def new_job(
    job_id: str,
    arn: str,
    request: Mapping[str, Any],
    definition: Mapping[str, Any],
    queue: Mapping[str, Any],
    environment: Mapping[str, Any] | None,
    *,
    now_ms: int,
    sequence: int,
) -> Record:
    """The record of a submitted job; `environment` is the queue's first compute environment."""
    override = request.get("containerOverrides") or {}
    properties = definition.get("containerProperties") or {}
    parameters = {**(definition.get("parameters") or {}), **(request.get("parameters") or {})}
    container = {
        **{key: value for key, value in properties.items() if key != "environment"},
        **{key: override[key] for key in _OVERRIDDEN if key in override},
        "environment": merge_environment(properties.get("environment") or (), override.get("environment") or ()),
    }
    container["command"] = substitute(container.get("command") or [], parameters)
    kind = ((environment or {}).get("computeResources") or {}).get("type", "")
    job: Record = {
        "jobId": job_id,
        "jobArn": arn,
        "jobName": request["jobName"],
        "jobQueue": queue["jobQueueArn"],
        "jobDefinition": definition["jobDefinitionArn"],
        "status": "SUBMITTED",
        "createdAt": now_ms,
        "attempts": [],
        "retryStrategy": request.get("retryStrategy") or definition.get("retryStrategy") or {"attempts": 1},
        "dependsOn": list(request.get("dependsOn") or ()),
        "parameters": parameters,
        "container": container,
        "tags": {
            **((definition.get("tags") or {}) if definition.get("propagateTags") else {}),
            **(request.get("tags") or {}),
        },
        "propagateTags": bool(request.get("propagateTags", definition.get("propagateTags", False))),
        "platformCapabilities": list(definition.get("platformCapabilities") or ()),
        "isCancelled": False,
        "isTerminated": False,
        "_sequence": sequence,
        "_definition_name": definition["jobDefinitionName"],
        "_queue_name": queue["jobQueueName"],
        "_environment_name": (environment or {}).get("computeEnvironmentName", ""),
        "_interruption": INTERRUPTED_SPOT if kind == "FARGATE_SPOT" else INTERRUPTED_HOST,
    }
    timeout = request.get("timeout") or definition.get("timeout")
    if timeout:
        job["timeout"] = timeout
    return job


def new_children(parent: Record, size: int) -> list[Record]:
    """Make `parent` an array job and return its children."""
    parent["arrayProperties"] = {"size": size, "statusSummary": dict.fromkeys(STATUSES, 0) | {"SUBMITTED": size}}
    return [
        {
            "jobId": child_id(parent["jobId"], index),
            "jobArn": child_id(parent["jobArn"], index),
            "status": "SUBMITTED",
            "createdAt": parent["createdAt"],
            "attempts": [],
            "container": {},
            "arrayProperties": {"index": index},
            "isCancelled": False,
            "isTerminated": False,
            "_parent": parent["jobId"],
            "_sequence": parent["_sequence"],
        }
        for index in range(size)
    ]


def resolve(job: Record, parent: Record | None) -> Record:
    """The whole record of a job: for an array's child, with what it shares with its parent."""
    if parent is None:
        return job
    shared = {key: value for key, value in parent.items() if key not in _PARENTS_OWN}
    return {**shared, **job, "container": {**parent["container"], **job["container"]}}


def describe(job: Record, parent: Record | None) -> Record:
    """A job as DescribeJobs answers it and as events carry it."""
    return {key: value for key, value in resolve(job, parent).items() if not key.startswith("_")}


def summary(job: Record, parent: Record | None) -> Record:
    """A job as ListJobs answers it."""
    whole = resolve(job, parent)
    kept = ("jobId", "jobArn", "jobName", "createdAt", "status", "statusReason", "startedAt", "stoppedAt")
    found = {key: whole[key] for key in (*kept, "arrayProperties", "jobDefinition") if key in whole}
    found["container"] = {key: whole["container"][key] for key in ("exitCode", "reason") if key in whole["container"]}
    if "size" in whole.get("arrayProperties", {}):
        found["arrayProperties"] = whole["arrayProperties"]
    return found


def with_attempt(container: Mapping[str, Any], attempt: Mapping[str, Any]) -> Record:
    """A container with what is known of its latest attempt, and nothing of the one before."""
    of_attempts = ("logStreamName", "exitCode", "reason")
    return {**{key: value for key, value in container.items() if key not in of_attempts}, **attempt}


def vcpus_of(job: Record) -> float | None:
    """The vCPUs a (resolved) job asks for, or None when it does not say."""
    container = job["container"]
    for requirement in container.get("resourceRequirements") or ():
        if requirement.get("type") == "VCPU":
            return float(requirement["value"])
    return float(container["vcpus"]) if container.get("vcpus") else None


def log_stream_of(job: Record, task_id: str) -> tuple[str, str]:
    """(log group, log stream) of one attempt of a (resolved) job, as the awslogs driver names them."""
    configuration = job["container"].get("logConfiguration") or {}
    options = configuration.get("options") or {}
    group = options.get("awslogs-group", "/aws/batch/job")
    prefix = options.get("awslogs-stream-prefix", job["_definition_name"])
    return group, f"{prefix}/default/{task_id}"
