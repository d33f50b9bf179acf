"""The AWS::Batch resource types of a stack, made by the same operations as those of the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from infra.local.aws.batch.requests import Request
from infra.local.aws.batch.resource_operations import ResourceOperations
from infra.local.aws.batch.resources import Document

Properties = Mapping[str, Any]
Created = tuple[str, dict[str, str]]
"""The physical id, and the attributes for Fn::GetAtt."""

# Maps whose keys are the user's own and keep their case.
_FREE_KEYS = frozenset({"tags", "parameters", "options"})


def resource_handlers(resources: ResourceOperations) -> dict[str, dict[str, Callable[..., Any]]]:
    """Give create, update and delete for each AWS::Batch type, in the shape of the local CloudFormation's table."""
    environments = _Named(
        resources.create_compute_environment,
        resources.update_compute_environment,
        resources.delete_compute_environment,
        name="computeEnvironmentName",
        reference="computeEnvironment",
        arn="computeEnvironmentArn",
        attribute="ComputeEnvironmentArn",
    )
    queues = _Named(
        resources.create_job_queue,
        resources.update_job_queue,
        resources.delete_job_queue,
        name="jobQueueName",
        reference="jobQueue",
        arn="jobQueueArn",
        attribute="JobQueueArn",
    )
    definitions = _Definitions(resources)
    return {
        "AWS::Batch::ComputeEnvironment": environments.handlers(),
        "AWS::Batch::JobQueue": queues.handlers(),
        "AWS::Batch::JobDefinition": definitions.handlers(),
    }


class _Named:
    """A resource that is changed in place and known by its ARN."""

    def __init__(
        self,
        create: Callable[[Request], Document],
        update: Callable[[Request], Document],
        delete: Callable[[Request], Document],
        *,
        name: str,
        reference: str,
        arn: str,
        attribute: str,
    ) -> None:
        self._create, self._update, self._delete = create, update, delete
        self._name, self._reference, self._arn, self._attribute = name, reference, arn, attribute

    def handlers(self) -> dict[str, Callable[..., Any]]:
        return {"create": self.create, "update": self.update, "delete": self.delete}

    def create(self, logical_id: str, props: Properties, stack_name: str) -> Created:
        request = as_request(props)
        request.setdefault(self._name, physical_name(stack_name, logical_id))
        arn = self._create(request)[self._arn]
        return arn, {self._attribute: arn}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        request = as_request(new)
        request.pop(self._name, None)
        self._update({**request, self._reference: physical_id})
        return physical_id, {self._attribute: physical_id}

    def delete(self, physical_id: str, props: Properties) -> None:
        self._delete({self._reference: physical_id})


class _Definitions:
    """Job definitions: every change is a new revision with an ARN of its own.

    The revision before is deregistered then, unless ResourceRetentionPolicy says that it stays.
    """

    def __init__(self, resources: ResourceOperations) -> None:
        self._resources = resources

    def handlers(self) -> dict[str, Callable[..., Any]]:
        return {"create": self.create, "update": self.update, "delete": self.delete}

    def create(self, logical_id: str, props: Properties, stack_name: str) -> Created:
        request, _ = self._read(props)
        request.setdefault("jobDefinitionName", physical_name(stack_name, logical_id))
        arn = self._resources.register_job_definition(request)["jobDefinitionArn"]
        return arn, {"JobDefinitionArn": arn}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        request, keeps_old = self._read(new)
        request.setdefault("jobDefinitionName", physical_id.rsplit("/", 1)[-1].rsplit(":", 1)[0])
        arn = self._resources.register_job_definition(request)["jobDefinitionArn"]
        if not keeps_old:
            self._resources.deregister_job_definition({"jobDefinition": physical_id})
        return arn, {"JobDefinitionArn": arn}

    def delete(self, physical_id: str, props: Properties) -> None:
        self._resources.deregister_job_definition({"jobDefinition": physical_id})

    @staticmethod
    def _read(props: Properties) -> tuple[dict[str, Any], bool]:
        """Return the API's request, and whether a revision stays active when there is a newer one."""
        request: dict[str, Any] = as_request(props)
        policy = request.pop("resourceRetentionPolicy", {})
        return request, bool(policy.get("skipDeregisterOnUpdate", False))


def physical_name(stack_name: str, logical_id: str) -> str:
    """Make a name for a resource that has none in the template."""
    return f"{stack_name}-{logical_id}"[:128]


def as_request(props: Any, *, key: str = "") -> Any:
    """Turn CloudFormation's properties into the API's JSON: names in lower camel case, numbers as numbers."""
    if isinstance(props, Mapping):
        if key in _FREE_KEYS:
            return {name: str(value) for name, value in props.items()}
        request = {}
        for name, value in props.items():
            lowered = name[:1].lower() + name[1:]
            request[lowered] = as_request(value, key=lowered)
        return request
    if isinstance(props, list):
        return [as_request(value) for value in props]
    return _typed(key, props)


# Properties that are numbers or flags in the API; CloudFormation passes on whatever the template or a parameter has.
_NUMBERS = frozenset(
    {"attempts", "attemptDurationSeconds", "priority", "order", "maxvCpus", "minvCpus", "desiredvCpus", "vcpus"}
    | {"memory", "sizeInGiB", "containerPort", "hostPort"}
)
_FLAGS = frozenset(
    {"propagateTags", "privileged", "readonlyRootFilesystem", "initProcessEnabled", "skipDeregisterOnUpdate"}
)


def _typed(key: str, value: Any) -> Any:
    if key in _NUMBERS and isinstance(value, str) and value.lstrip("-").isdecimal():
        return int(value)
    if key in _FLAGS and isinstance(value, str):
        return value.lower() == "true"
    if key == "value" and not isinstance(value, str):
        return str(value)
    if key == "onExitCode":
        return str(value)
    return value
