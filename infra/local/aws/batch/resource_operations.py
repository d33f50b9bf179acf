"""The operations on compute environments, job queues and job definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from infra.local.aws.batch.requests import (
    BatchError,
    Request,
    checked_name,
    refuse,
    refuse_reserved_variables,
    refuse_unknown,
)
from infra.local.aws.batch.resources import (
    ACTIVE,
    INACTIVE,
    ComputeEnvironment,
    Document,
    JobDefinition,
    JobQueue,
    name_of,
)
from infra.local.aws.batch.rules import retry_strategy_error, timeout_error
from infra.local.aws.batch.scheduler import Scheduler
from infra.local.aws.batch.store import Store

_DEFINITION_FIELDS = frozenset(
    {"jobDefinitionName", "type", "containerProperties", "retryStrategy", "timeout", "tags", "propagateTags"}
    | {"platformCapabilities"}
)
T = TypeVar("T")


class ResourceOperations:
    """Creates, changes, shows and deletes what jobs are submitted to."""

    def __init__(self, store: Store, scheduler: Scheduler, arn_prefix: str) -> None:
        self._store, self._scheduler, self._arn_prefix = store, scheduler, arn_prefix

    def create_compute_environment(self, request: Request) -> Document:
        name = checked_name(request, "computeEnvironmentName")
        if name in self._store.compute_environments:
            raise BatchError(f"Object already exists: {name}")
        arn = f"{self._arn_prefix}compute-environment/{name}"
        environment = ComputeEnvironment.read({**request, "computeEnvironmentArn": arn})
        self._store.compute_environments.put(environment)
        return _shown(environment.document(), "computeEnvironmentName", "computeEnvironmentArn")

    def update_compute_environment(self, request: Request) -> Document:
        environment = self.compute_environment(request.get("computeEnvironment", ""))
        kind = (request.get("computeResources") or {}).get("type", environment.kind)
        environment = replace(environment, kind=kind)
        self._store.compute_environments.put(environment)
        return _shown(environment.document(), "computeEnvironmentName", "computeEnvironmentArn")

    def delete_compute_environment(self, request: Request) -> Document:
        name = name_of(request.get("computeEnvironment", ""))
        for queue in self._store.queues.values():
            if name in map(name_of, queue.environments):
                raise BatchError(f"Cannot delete, found existing JobQueue relationship: {queue.name}")
        self._store.compute_environments.delete(name)
        return {}

    def create_job_queue(self, request: Request) -> Document:
        name = checked_name(request, "jobQueueName")
        if name in self._store.queues:
            raise BatchError(f"Object already exists: {name}")
        queue = JobQueue.read({**request, "jobQueueArn": f"{self._arn_prefix}job-queue/{name}"})
        return self._keep_queue(queue)

    def update_job_queue(self, request: Request) -> Document:
        queue = self.queue(request.get("jobQueue", ""))
        return self._keep_queue(JobQueue.read({**queue.document(), **request}))

    def delete_job_queue(self, request: Request) -> Document:
        name = name_of(request.get("jobQueue", ""))
        queue = self._store.queues.get(name)
        if queue is not None:
            for job in list(self._store.jobs.values()):
                if job.parent is None and job.submission.queue_arn == queue.arn:
                    self._scheduler.terminate(job, "Job Queue deleted")
            self._store.queues.delete(name)
        return {}

    def describe_job_queues(self, request: Request) -> Document:
        return {"jobQueues": [queue.document() for queue in _named(self._store.queues, request.get("jobQueues"))]}

    def register_job_definition(self, request: Request) -> Document:
        name = checked_name(request, "jobDefinitionName")
        if request.get("type") != "container":
            raise BatchError("Only job definitions of type container run here")
        refuse_unknown(request, _DEFINITION_FIELDS)
        refuse(retry_strategy_error(request.get("retryStrategy") or {}))
        refuse(timeout_error(request.get("timeout") or {}))
        refuse_reserved_variables(request.get("containerProperties") or {})
        revision = 1 + max((each.revision for each in self._revisions(name)), default=0)
        own = {
            "jobDefinitionArn": f"{self._arn_prefix}job-definition/{name}:{revision}",
            "revision": revision,
            "status": ACTIVE,
        }
        definition = JobDefinition.read({**request, **own})
        self._store.definitions.put(definition)
        return _shown(definition.document(), "jobDefinitionName", "jobDefinitionArn", "revision")

    def deregister_job_definition(self, request: Request) -> Document:
        definition = self.definition(request.get("jobDefinition", ""), active_only=False)
        self._store.definitions.put(replace(definition, status=INACTIVE))
        return {}

    def describe_job_definitions(self, request: Request) -> Document:
        refuse_unknown(request, frozenset({"jobDefinitions"}))
        definitions = _named(self._store.definitions, request.get("jobDefinitions"))
        newest_first = sorted(definitions, key=lambda each: (each.name, -each.revision))
        return {"jobDefinitions": [definition.document() for definition in newest_first]}

    def compute_environment(self, reference: str) -> ComputeEnvironment:
        """Find a compute environment by name or ARN. Raises BatchError."""
        try:
            return self._store.compute_environments[name_of(reference)]
        except KeyError:
            raise BatchError(f"Compute environment {reference!r} does not exist") from None

    def queue(self, reference: str) -> JobQueue:
        """Find a queue by name or ARN. Raises BatchError."""
        try:
            return self._store.queues[name_of(reference)]
        except KeyError:
            raise BatchError(f"Job queue {reference!r} does not exist") from None

    def definition(self, reference: str, *, active_only: bool = True) -> JobDefinition:
        """Find the named revision, or the newest active one of a bare name. Raises BatchError."""
        key = name_of(reference)
        named = self._store.definitions.get(key)
        revisions = self._revisions(key) if named is None else [named]
        usable = [each for each in revisions if each.status == ACTIVE or not active_only]
        if not usable:
            raise BatchError(f"Job definition {reference!r} does not exist or is not active")
        return max(usable, key=lambda each: each.revision)

    def _keep_queue(self, queue: JobQueue) -> Document:
        for environment in queue.environments:
            self.compute_environment(environment)
        self._store.queues.put(queue)
        return _shown(queue.document(), "jobQueueName", "jobQueueArn")

    def _revisions(self, name: str) -> list[JobDefinition]:
        return [each for each in self._store.definitions.values() if each.name == name]


def _named(resources: Mapping[str, T], references: list[str] | None) -> list[T]:
    """The resources that are asked for by name or ARN, or all."""
    if not references:
        return list(resources.values())
    return [resources[name_of(reference)] for reference in references if name_of(reference) in resources]


def _shown(document: Mapping[str, Any], *names: str) -> Document:
    return {name: document[name] for name in names}
