"""What the template's roles may do, one permission at a time, with resources by logical id."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.integration.runtime.recording import Call
from tests.template import reading


@dataclass(frozen=True)
class Grant:
    """One action on one resource. `prefix` bounds S3's listings."""

    role: str
    action: str
    resource: str
    prefix: str = "*"
    allows: bool = True

    def covers(self, call: Call) -> bool:
        return (
            call.action == self.action
            and fnmatchcase(call.resource, self.resource)
            and fnmatchcase(call.prefix, self.prefix)
        )


def on_aws() -> list[Grant]:
    """The roles' own policies, as a deployment to AWS has them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        template = reading.carried_out(reading.transformed(reading.read(reading.TEMPLATE), "dev"), "dev")
    return [
        grant
        for name, policy in reading.policies(template)
        for statement in _listed(policy["PolicyDocument"]["Statement"])
        for grant in _grants(name, statement)
    ]


def granted(grants: Iterable[Grant], role: str, call: Call) -> bool:
    """As IAM decides: allowed by one and denied by none."""
    covering = [each for each in grants if each.role == role and each.covers(call)]
    return bool(covering) and all(each.allows for each in covering)


def _grants(role: str, statement: dict[str, Any]) -> Iterator[Grant]:
    prefixes = _listed(statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix", "*"))
    for action in _listed(statement["Action"]):
        for resource in _listed(statement["Resource"]):
            for prefix in prefixes:
                yield Grant(role, action, _plain(resource), prefix, statement["Effect"] == "Allow")


def _plain(resource: Any) -> str:
    """`ArtifactBucket/serving/*` of the ARN that a policy makes."""
    if isinstance(resource, str):
        return resource
    ((function, operand),) = resource.items()
    if function == "Ref":
        return str(operand)
    if function == "Fn::GetAtt":
        return ".".join(operand).removesuffix(".Arn")
    text, own = operand if isinstance(operand, list) else (operand, {})
    for name, value in own.items():
        if "Fn::Select" in value:  # a part of another resource's ARN, which stands for that resource
            text = text.replace(f"${{{name}}}", f"${{{min(reading.references(value))}}}")
    if text.startswith("arn:${AWS::Partition}"):
        text = text.replace("AWS::", "").split(":", 5)[5]
    return text.replace(".Arn}", "}").replace("${", "").replace("}", "")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
