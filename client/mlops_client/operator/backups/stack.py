"""The resources of a stack that a backup reads and a restore writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlops_client.errors import MlopsError
from mlops_client.operator import aws

QUEUES = ("MigrationQueue", "OnDemandQueue")
"""Where the job of the database runs: on AWS the first one, in the database's network; a laptop has the second one."""


@dataclass(frozen=True)
class StackResources:
    """A deployed stack: what its resources are called in AWS, by their names in the template.

    Attributes:
        name: The CloudFormation stack.
        stack_id: Its ARN, which has the account and the region.
        names: The physical ids.
        tables: The names in the template of its DynamoDB tables, in order.
    """

    name: str
    stack_id: str
    names: dict[str, str]
    tables: tuple[str, ...]

    @classmethod
    def of(cls, stack: str) -> StackResources:
        """Look a stack up. Raises MlopsError: there is none, or AWS cannot be reached."""
        cloudformation: Any = aws.session().client("cloudformation")
        try:
            with aws.translated_errors():
                found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
                pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
                resources = [each for page in pages for each in page["StackResourceSummaries"]]
        except MlopsError as error:
            raise MlopsError(f"stack {stack}: {error}; choose a stack with --stack") from None
        names = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
        tables = (each["LogicalResourceId"] for each in resources if each["ResourceType"] == "AWS::DynamoDB::Table")
        return cls(stack, found["StackId"], names, tuple(sorted(tables)))

    def __getitem__(self, name: str) -> str:
        """Return what a resource is called in AWS. Raises MlopsError: the stack has none."""
        try:
            return self.names[name]
        except KeyError:
            raise MlopsError(
                f"the stack {self.name} has no {name}, so it is of another version of the platform: update it first"
            ) from None

    @property
    def bucket(self) -> str:
        return self["ArtifactBucket"]

    @property
    def job_queue(self) -> str:
        return next((self.names[name] for name in QUEUES if name in self.names), "") or self[QUEUES[0]]
