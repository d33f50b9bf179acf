"""The operations on jobs: submit, show, find by name or status, terminate."""

from __future__ import annotations

import time
import uuid

from infra.local.aws.batch import documents
from infra.local.aws.batch.jobs import Job, Submission
from infra.local.aws.batch.requests import (
    BatchError,
    Request,
    checked_name,
    refuse,
    refuse_reserved_variables,
    refuse_unknown,
)
from infra.local.aws.batch.resource_operations import ResourceOperations
from infra.local.aws.batch.resources import ENABLED, Document, JobQueue, name_of
from infra.local.aws.batch.rules import array_size_error, retry_strategy_error, timeout_error
from infra.local.aws.batch.scheduler import Scheduler
from infra.local.aws.batch.store import Store

_SUBMISSION_FIELDS = frozenset(
    {"jobName", "jobQueue", "jobDefinition", "arrayProperties", "containerOverrides", "retryStrategy", "timeout"}
)
_OVERRIDES = frozenset({"environment", "resourceRequirements"})


class JobOperations:
    """Submits jobs to the scheduler, shows them, and ends them."""

    def __init__(self, store: Store, scheduler: Scheduler, resources: ResourceOperations, arn_prefix: str) -> None:
        self._store, self._scheduler, self._resources, self._arn_prefix = store, scheduler, resources, arn_prefix

    def submit_job(self, request: Request) -> Document:
        checked_name(request, "jobName")
        refuse_unknown(request, _SUBMISSION_FIELDS)
        override = request.get("containerOverrides") or {}
        refuse_unknown(override, _OVERRIDES, within="containerOverrides.")
        queue = self._resources.queue(request.get("jobQueue", ""))
        if queue.state != ENABLED:
            raise BatchError(f"JobQueue {queue.name} is not enabled")
        definition = self._resources.definition(request.get("jobDefinition", ""))
        refuse(retry_strategy_error(request.get("retryStrategy") or {}))
        refuse(timeout_error(request.get("timeout") or {}))
        refuse_reserved_variables(override)
        size = (request.get("arrayProperties") or {}).get("size")
        if size is not None:
            refuse(array_size_error(size))
        environment = self._resources.compute_environment(queue.environments[0]) if queue.environments else None
        submission = Submission.of(request, definition, queue, environment, sequence=time.time_ns())
        job_id = str(uuid.uuid4())
        job = Job(job_id, f"{self._arn_prefix}job/{job_id}", submission, created_at=int(time.time() * 1000))
        if size is not None:
            job.make_array(size)
        self._scheduler.submit(job)
        return {"jobId": job.job_id, "jobArn": job.arn, "jobName": submission.job_name}

    def describe_jobs(self, request: Request) -> Document:
        ids = request.get("jobs")
        if not isinstance(ids, list) or len(ids) > 100:
            raise BatchError("jobs must list at most 100 job ids")
        jobs = (self._store.jobs.get(name_of(job_id)) for job_id in ids)
        return {"jobs": [documents.describe(job) for job in jobs if job is not None]}

    def list_jobs(self, request: Request) -> Document:
        """Find the jobs of a queue, newest first, as on AWS: by name in every status, whatever the case, or by status.

        Without filters and `jobStatus` it finds those that run.
        """
        refuse_unknown(request, frozenset({"jobQueue", "filters", "jobStatus"}))
        queue = self._resources.queue(request.get("jobQueue", ""))
        filters: list[Document] = request.get("filters") or []
        if not filters:
            wanted = request.get("jobStatus") or "RUNNING"
            summaries = [documents.summary(job) for job in self._newest_first(queue)]
            return {"jobSummaryList": [each for each in summaries if each["status"] == wanted]}
        if len(filters) != 1 or filters[0].get("name") != "JOB_NAME":
            raise BatchError("filters must have one filter, JOB_NAME: no other is supported by the local AWS Batch")
        names = {str(value).lower() for value in filters[0].get("values") or ()}
        named = [job for job in self._newest_first(queue) if job.submission.job_name.lower() in names]
        return {"jobSummaryList": [documents.summary(job) for job in named]}

    def _newest_first(self, queue: JobQueue) -> list[Job]:
        """The jobs of a queue, without the children of arrays."""
        jobs = [
            job for job in self._store.jobs.values() if job.parent is None and job.submission.queue_arn == queue.arn
        ]
        return sorted(jobs, key=lambda job: job.submission.sequence, reverse=True)

    def terminate_job(self, request: Request) -> Document:
        if not request.get("reason"):
            raise BatchError("reason is required")
        job = self._store.jobs.get(name_of(request.get("jobId") or ""))
        if job is None:
            raise BatchError(f"Job {request.get('jobId')} does not exist")
        self._scheduler.terminate(job, request["reason"])
        return {}
