"""The AWS::Batch types of a stack, for LocalStack's CloudFormation: made by the operations of our own Batch."""

from __future__ import annotations

from typing import Any, ClassVar

from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)

from infra.local.aws.batch.cloudformation import resource_handlers
from infra.local.localstack.batch import local_batch


class _BatchType(ResourceProvider):  # type: ignore[misc]
    """One type; `attribute` is its physical id and what Fn::GetAtt gives."""

    TYPE: ClassVar[str]
    attribute: ClassVar[str]

    def __init__(self) -> None:
        self.SCHEMA = {"typeName": self.TYPE, "primaryIdentifier": [f"/properties/{self.attribute}"], "properties": {}}

    def create(self, request: ResourceRequest) -> ProgressEvent:
        _, attributes = self._do("create", request.logical_resource_id, self._properties(request), request.stack_name)
        return self._done(request, attributes)

    def update(self, request: ResourceRequest) -> ProgressEvent:
        present = request.previous_state[self.attribute]
        _, attributes = self._do(
            "update", present, request.previous_state, self._properties(request), request.stack_name
        )
        return self._done(request, attributes)

    def delete(self, request: ResourceRequest) -> ProgressEvent:
        self._do("delete", request.desired_state[self.attribute], self._properties(request))
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={})

    def _properties(self, request: ResourceRequest) -> dict[str, Any]:
        """What the template says, without what a former operation has added."""
        return {name: value for name, value in request.desired_state.items() if name != self.attribute}

    def _do(self, operation: str, *arguments: Any) -> Any:
        batch = local_batch()
        with batch.scheduler.lock:
            return resource_handlers(batch.service.resources)[self.TYPE][operation](*arguments)

    @staticmethod
    def _done(request: ResourceRequest, attributes: dict[str, str]) -> ProgressEvent:
        model = {**request.desired_state, **attributes}
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)


class _ComputeEnvironment(_BatchType):
    TYPE, attribute = "AWS::Batch::ComputeEnvironment", "ComputeEnvironmentArn"


class _JobQueue(_BatchType):
    TYPE, attribute = "AWS::Batch::JobQueue", "JobQueueArn"


class _JobDefinition(_BatchType):
    TYPE, attribute = "AWS::Batch::JobDefinition", "JobDefinitionArn"


class _Plugin(CloudFormationResourceProviderPlugin):  # type: ignore[misc]
    made: ClassVar[type[_BatchType]]

    def load(self) -> None:
        self.factory = self.made


class ComputeEnvironmentPlugin(_Plugin):
    name, made = _ComputeEnvironment.TYPE, _ComputeEnvironment


class JobQueuePlugin(_Plugin):
    name, made = _JobQueue.TYPE, _JobQueue


class JobDefinitionPlugin(_Plugin):
    name, made = _JobDefinition.TYPE, _JobDefinition
