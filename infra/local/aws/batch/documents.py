"""Jobs as JSON: in the shape of DescribeJobs, which events carry too, and in that of the store.

The store adds what is the service's own under names that start with an underscore. Of a child it keeps only what
differs from its parent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from infra.local.aws.batch.jobs import ContainerState, Job, PastAttempt, Submission
from infra.local.aws.batch.resources import Document
from infra.local.aws.batch.rules import Status
from infra.local.processes import Process

_OF_THE_ATTEMPT = frozenset({"logStreamName", "exitCode", "reason"})


def describe(job: Job) -> Document:
    """Show a job as DescribeJobs answers it and as events carry it."""
    submission = job.submission
    return {
        **_progress(job),
        "jobName": submission.job_name,
        "jobQueue": submission.queue_arn,
        "jobDefinition": submission.definition_arn,
        "retryStrategy": dict(submission.retry_strategy),
        "container": {**submission.container, **_container(job.container)},
        "tags": dict(submission.tags),
        "propagateTags": submission.propagate_tags,
        "platformCapabilities": list(submission.platform_capabilities),
        **_given(timeout=submission.timeout),
    }


def summary(job: Job) -> Document:
    """Show a job as ListJobs answers it."""
    kept = ("jobId", "jobArn", "jobName", "createdAt", "status", "statusReason", "startedAt", "stoppedAt")
    whole = describe(job)
    return {name: whole[name] for name in (*kept, "arrayProperties", "jobDefinition") if name in whole}


def encode(job: Job) -> Document:
    """Write a job for the store."""
    own = _given(_process=asdict(job.process) if job.process else None, _termination=job.termination)
    if job.parent is not None:
        return {**_progress(job), "container": _container(job.container), "_parent": job.parent.job_id, **own}
    submission = job.submission
    return {
        **describe(job),
        "_sequence": submission.sequence,
        "_definition_name": submission.definition_name,
        "_queue_name": submission.queue_name,
        "_environment_name": submission.environment_name,
        "_interruption": submission.interruption,
        **own,
    }


def decode(document: Mapping[str, Any], parent: Job | None) -> Job:
    """Read a job of the store; `parent` is the array that a child belongs to."""
    array = document.get("arrayProperties") or {}
    counts = {Status(name): count for name, count in (array.get("statusSummary") or {}).items()}
    return Job(
        job_id=document["jobId"],
        arn=document["jobArn"],
        submission=_submission(document) if parent is None else parent.submission,
        created_at=document["createdAt"],
        status=Status(document["status"]),
        status_reason=document.get("statusReason", ""),
        started_at=document.get("startedAt"),
        stopped_at=document.get("stoppedAt"),
        container=_read_container(document["container"]),
        attempts=[_read_attempt(attempt) for attempt in document["attempts"]],
        is_terminated=document["isTerminated"],
        termination=document.get("_termination"),
        process=process_of(document),
        parent=parent,
        index=array.get("index"),
        status_counts=counts,
    )


def process_of(document: Mapping[str, Any]) -> Process | None:
    """The process of a job in the store, whether or not it still runs; None for a record of another form, too."""
    return Process.from_record(document.get("_process"))


def _submission(document: Mapping[str, Any]) -> Submission:
    return Submission(
        job_name=document["jobName"],
        queue_arn=document["jobQueue"],
        queue_name=document["_queue_name"],
        definition_arn=document["jobDefinition"],
        definition_name=document["_definition_name"],
        environment_name=document["_environment_name"],
        interruption=document["_interruption"],
        container={name: value for name, value in document["container"].items() if name not in _OF_THE_ATTEMPT},
        retry_strategy=document["retryStrategy"],
        timeout=document.get("timeout"),
        tags=document["tags"],
        propagate_tags=document["propagateTags"],
        platform_capabilities=tuple(document["platformCapabilities"]),
        sequence=document["_sequence"],
    )


def _progress(job: Job) -> Document:
    """What changes while a job goes on, and which job it is."""
    array: Document | None = None
    if job.array_size:
        array = {"size": job.array_size, "statusSummary": dict(job.status_counts)}
    elif job.index is not None:
        array = {"index": job.index}
    return {
        "jobId": job.job_id,
        "jobArn": job.arn,
        "status": job.status,
        "createdAt": job.created_at,
        "attempts": [_attempt(attempt) for attempt in job.attempts],
        "isCancelled": False,
        "isTerminated": job.is_terminated,
        **_given(
            statusReason=job.status_reason or None,
            startedAt=job.started_at,
            stoppedAt=job.stopped_at,
            arrayProperties=array,
        ),
    }


def _container(state: ContainerState) -> Document:
    return _given(logStreamName=state.log_stream, exitCode=state.exit_code, reason=state.reason or None)


def _read_container(document: Mapping[str, Any]) -> ContainerState:
    return ContainerState(document.get("logStreamName"), document.get("exitCode"), document.get("reason", ""))


def _attempt(attempt: PastAttempt) -> Document:
    return {
        "container": _container(attempt.container),
        "stoppedAt": attempt.stopped_at,
        "statusReason": attempt.status_reason,
        **_given(startedAt=attempt.started_at),
    }


def _read_attempt(document: Mapping[str, Any]) -> PastAttempt:
    container = _read_container(document["container"])
    return PastAttempt(container, document.get("startedAt"), document["stoppedAt"], document["statusReason"])


def _given(**fields: Any) -> Document:
    return {name: value for name, value in fields.items() if value is not None}
