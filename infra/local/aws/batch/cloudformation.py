"""The AWS::Batch resource types of a stack, made through the same operations as the API's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from infra.local.aws.batch.service import BatchService

Properties = Mapping[str, Any]
Created = tuple[str, dict[str, str]]

# Maps whose keys are the user's own and keep their case.
_FREE_KEYS = frozenset({"tags", "parameters", "options"})


def resource_handlers(service: BatchService) -> dict[str, dict[str, Callable[..., Any]]]:
    """Create, update and delete for each AWS::Batch type, in the shape of the local CloudFormation's table."""
    environments = _Named(
        service.create_compute_environment,
        service.update_compute_environment,
        service.delete_compute_environment,
        name="computeEnvironmentName",
        reference="computeEnvironment",
        arn="computeEnvironmentArn",
        attribute="ComputeEnvironmentArn",
    )
    queues = _Named(
        service.create_job_queue,
        service.update_job_queue,
        service.delete_job_queue,
        name="jobQueueName",
        reference="jobQueue",
        arn="jobQueueArn",
        attribute="JobQueueArn",
    )
    definitions = _Definitions(service)
    return {
        "AWS::Batch::ComputeEnvironment": environments.handlers(),
        "AWS::Batch::JobQueue": queues.handlers(),
        "AWS::Batch::JobDefinition": definitions.handlers(),
    }


class _Named:
    """A resource that is changed in place and known by its ARN."""

    def __init__(
        self,
        create: Callable[[Properties], dict[str, Any]],
        update: Callable[[Properties], dict[str, Any]],
        delete: Callable[[Properties], dict[str, Any]],
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
    """Job definitions: every change is a new revision with an ARN of its own."""

    def __init__(self, service: BatchService) -> None:
        self._service = service

    def handlers(self) -> dict[str, Callable[..., Any]]:
        return {"create": self.create, "update": self.update, "delete": self.delete}

    def create(self, logical_id: str, props: Properties, stack_name: str) -> Created:
        request = as_request(props)
        request.setdefault("jobDefinitionName", physical_name(stack_name, logical_id))
        arn = self._service.register_job_definition(request)["jobDefinitionArn"]
        return arn, {"JobDefinitionArn": arn}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        request = as_request(new)
        request.setdefault("jobDefinitionName", physical_id.rsplit("/", 1)[-1].rsplit(":", 1)[0])
        arn = self._service.register_job_definition(request)["jobDefinitionArn"]
        return arn, {"JobDefinitionArn": arn}

    def delete(self, physical_id: str, props: Properties) -> None:
        self._service.deregister_job_definition({"jobDefinition": physical_id})


def physical_name(stack_name: str, logical_id: str) -> str:
    """A name for a resource the template leaves unnamed."""
    return f"{stack_name}-{logical_id}"[:128]


def as_request(props: Any, *, key: str = "") -> Any:
    """CloudFormation's properties as the API's JSON: names in lower camel case, numbers as numbers."""
    if isinstance(props, Mapping):
        if key in _FREE_KEYS:
            return {name: str(value) for name, value in props.items()}
        found = {}
        for name, value in props.items():
            lowered = name[:1].lower() + name[1:]
            found[lowered] = as_request(value, key=lowered)
        return found
    if isinstance(props, list):
        return [as_request(value) for value in props]
    return _typed(key, props)


# Of the properties that are numbers in the API: CloudFormation passes what the template or a parameter says.
_NUMBERS = frozenset(
    {"attempts", "attemptDurationSeconds", "priority", "order", "maxvCpus", "minvCpus", "desiredvCpus", "vcpus"}
    | {"memory", "sizeInGiB", "containerPort", "hostPort"}
)
_FLAGS = frozenset({"propagateTags", "privileged", "readonlyRootFilesystem", "initProcessEnabled"})


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
