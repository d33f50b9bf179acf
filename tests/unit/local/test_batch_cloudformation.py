"""AWS::Batch properties on their way from a template to the API."""

from infra.local.aws.batch.cloudformation import as_request


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
