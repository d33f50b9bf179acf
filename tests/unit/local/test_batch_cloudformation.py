"""AWS::Batch properties on their way from a template to the API."""

from typing import Any

import pytest

from infra.local.aws.batch.cloudformation import _Definitions, as_request


def test_names_become_the_apis_and_the_users_own_keys_stay():
    props = {
        "JobDefinitionName": "training",
        "Tags": {"Team": "Vision"},
        "Parameters": {"Epochs": 3},
        "RetryStrategy": {"Attempts": "5", "EvaluateOnExit": [{"OnExitCode": 143, "Action": "RETRY"}]},
        "Timeout": {"AttemptDurationSeconds": "7200"},
        "PropagateTags": "true",
        "ContainerProperties": {
            "Environment": [{"Name": "MNIST_DIR", "Value": 7}],
            "ResourceRequirements": [{"Type": "VCPU", "Value": 2}],
            "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": "/g"}},
        },
    }
    assert as_request(props) == {
        "jobDefinitionName": "training",
        "tags": {"Team": "Vision"},
        "parameters": {"Epochs": "3"},
        "retryStrategy": {"attempts": 5, "evaluateOnExit": [{"onExitCode": "143", "action": "RETRY"}]},
        "timeout": {"attemptDurationSeconds": 7200},
        "propagateTags": True,
        "containerProperties": {
            "environment": [{"name": "MNIST_DIR", "value": "7"}],
            "resourceRequirements": [{"type": "VCPU", "value": "2"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/g"}},
        },
    }


class Revisions:
    """Batch's job definitions, as far as CloudFormation asks for them."""

    def __init__(self) -> None:
        self.active: list[str] = []
        self.made = 0

    def register_job_definition(self, request: dict[str, Any]) -> dict[str, Any]:
        assert "resourceRetentionPolicy" not in request, "it is CloudFormation's, and Batch refuses it"
        self.made += 1
        self.active.append(f"arn:aws:batch:r:a:job-definition/{request['jobDefinitionName']}:{self.made}")
        return {"jobDefinitionArn": self.active[-1]}

    def deregister_job_definition(self, request: dict[str, Any]) -> dict[str, Any]:
        self.active.remove(request["jobDefinition"])
        return {}


@pytest.mark.parametrize(("policy", "left"), [({}, ["2"]), ({"SkipDeregisterOnUpdate": "true"}, ["1", "2"])])
def test_a_new_revision_replaces_the_one_before_unless_that_is_to_stay(policy: dict[str, str], left: list[str]):
    resources: Any = Revisions()
    handlers = _Definitions(resources).handlers()
    props = {"Type": "container", "ResourceRetentionPolicy": policy} if policy else {"Type": "container"}
    first, _ = handlers["create"]("Training", props, "stack")
    second, _ = handlers["update"](first, props, {**props, "PropagateTags": "true"}, "stack")
    assert [each.rpartition(":")[2] for each in resources.active] == left
    handlers["delete"](second, props)
    assert second not in resources.active
