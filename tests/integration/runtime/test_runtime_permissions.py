"""IAM policies against what the functions ask of AWS: all that is called is granted, and all that is granted is called.

The stack's own functions are led through recording proxies while the API is walked once through all that it can do.
The roles of the trainer, the tracking server and the migration are not walked here; of the trainer's, tests/template
holds what it may ask of the tracking server.
"""

import json
import time
from collections import defaultdict
from fnmatch import fnmatchcase
from typing import Any

import pytest

from infra.local import deploy
from infra.local.api import Api
from tests.integration.runtime.recording import Call, Recorder
from tests.support import promote, train
from tests.template import reading

pytestmark = pytest.mark.slow

# Granted, and not called on this walk: (function, action) to the reason.
NOT_CALLED: dict[tuple[str, str], str] = {
    ("PredictFunction", "s3:ListBucket"): "without it a missing manifest is 403, not 404",
    ("PromotionFunction", "s3:ListBucket"): "without it a missing object is 403, not 404",
    ("DriftFunction", "s3:ListBucket"): "without it a missing manifest is 403, not 404",
    ("MetricsFunction", "s3:ListBucket"): "without it a missing manifest is 403, not 404",
    ("ReconcileFunction", "s3:ListBucket"): "without it a missing manifest is 403, not 404",
    ("DriftFunction", "dynamodb:UpdateItem"): "nothing drifts on this walk: no alert, no retrain, no budget counted",
    ("DriftFunction", "events:PutEvents"): "nothing drifts on this walk: no alert, no retrain",
    ("DriftFunction", "sns:Publish"): "nothing drifts on this walk: no alert",
    ("PredictionLogFunction", "s3:PutObject"): "samples are kept only with InputSampleShare above 0",
    ("PromotionFunction", "dynamodb:PutItem"): "an entry for what was mended; nothing is amiss on this walk",
    ("PromotionFunction", "sqs:ChangeMessageVisibility"): "a message that failed is postponed; none fails on this walk",
    **{
        ("ReconcileFunction", action): "nothing was lost and nothing waits too long on this walk"
        for action in (
            *("batch:DescribeJobs", "batch:ListJobs", "batch:SubmitJob", "batch:TerminateJob"),
            *("dynamodb:UpdateItem", "events:PutEvents", "sqs:SendMessage"),
        )
    },
    **{
        (name, action): "what is done when the work failed (delete), or the service sends no old item along (get)"
        for name in ("TrainingFunction", "TransitionsFunction")
        for action in ("dynamodb:DeleteItem", "dynamodb:GetItem")
    },
    **{
        (
            name,
            "sqs:SendMessage",
        ): "Lambda itself sends there, as the function, what failed asynchronously"
        for name in ("TrainingFunction", "PredictionLogFunction", "DriftFunction", "MetricsFunction")
    },
}


@pytest.fixture(scope="module")
def roles(stack: Any) -> dict[str, list[dict[str, Any]]]:
    """By function, the statements of its role, with resources by logical id."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        generated = reading.transformed(reading.read(reading.TEMPLATE), "local")
    local = reading.carried_out(generated, "local")
    found = {}
    for name, function in reading.of_type(local, "AWS::Lambda::Function").items():
        role = local["Resources"][function["Properties"]["Role"]["Fn::GetAtt"][0]]
        found[name] = [
            {
                "actions": _listed(statement["Action"]),
                "resources": [_plain(each) for each in _listed(statement["Resource"])],
                "prefix": statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix", "*"),
            }
            for policy in role["Properties"].get("Policies", [])
            for statement in _listed(policy["PolicyDocument"]["Statement"])
        ]
    return found


@pytest.fixture(scope="module")
def called(stack: Any, api: Api, outputs: dict[str, str], production_model: Any, roles: Any) -> dict[str, set[Call]]:
    """By function, what it asked of AWS on a walk through the API and the schedules."""
    lambdas = deploy.client(stack.settings, "lambda")
    resources = deploy.client(stack.settings, "cloudformation")
    names = resources.describe_stack_resources(StackName=outputs["StackName"])["StackResources"]
    physical = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in names}
    logical = {each: name for name, each in physical.items()}
    recorders, before = {}, {}
    for name in roles:
        recorders[name] = Recorder(stack.env["AWS_ENDPOINT_URL"], logical)
        before[name] = lambdas.get_function_configuration(FunctionName=physical[name])["Environment"]["Variables"]
        own = {"AWS_ENDPOINT_URL": recorders[name].start()}
        lambdas.update_function_configuration(
            FunctionName=physical[name], Environment={"Variables": before[name] | own}
        )
    try:
        _publish(lambdas, physical)
        _walk(api, lambda name, event: _invoke(lambdas, physical[name], event))
        time.sleep(3)  # log lines and events are on their way
    finally:
        for name, variables in before.items():
            lambdas.update_function_configuration(FunctionName=physical[name], Environment={"Variables": variables})
            recorders[name].stop()
        _publish(lambdas, physical)
    return {name: recorder.calls for name, recorder in recorders.items()}


def test_the_walk_reaches_every_function(called: dict[str, set[Call]]) -> None:
    assert {name for name, calls in called.items() if not calls} == set()


def test_what_is_called_is_granted(called: dict[str, set[Call]], roles: dict[str, Any]) -> None:
    missing = {
        (name, call.action, call.resource, call.prefix)
        for name, calls in called.items()
        for call in calls
        if not any(_covers(statement, call) for statement in roles[name])
    }
    assert missing == set()


def test_what_is_granted_is_called(called: dict[str, set[Call]], roles: dict[str, Any]) -> None:
    idle = defaultdict(set)
    for name, statements in roles.items():
        for statement in statements:
            for action in statement["actions"]:
                if not any(_covers({**statement, "actions": [action]}, call) for call in called[name]):
                    idle[name, action].add(", ".join(statement["resources"]))
    unexplained = sorted(
        f"{name} {action}: {where}" for (name, action), where in idle.items() if (name, action) not in NOT_CALLED
    )
    assert not unexplained, "\n".join(["granted, and never called:", *unexplained])


def _walk(api: Api, invoke: Any) -> None:
    api.get("/ready")
    api.send("GET", "/metrics")
    key = {"Idempotency-Key": "permissions"}
    for _ in range(2):
        again = api.post("/train", {"epochs": 1, "register": False}, key)
    api.send("POST", "/train", {"epochs": 2}, key)
    api.get(f"/train/status/{again['job_id']}")
    once = {"epochs": 3, "learning_rate": 0.004, "seed": 7}
    first = train(api, **once)
    assert first["status"] == "completed", first["error"]
    api.get(f"/train/jobs/{first['job_id']}/logs")
    api.get("/train/jobs?status=completed&limit=1")
    promote(api, first["model_version"], "Staging", reason="permissions")
    promote(api, first["model_version"], "Production", reason="permissions", force=True)
    api.post("/models/digit-classifier/rollback?wait=20", {"reason": "permissions"})
    sweep = api.post("/sweeps", {"num_runs": 2, "epochs": 1, "stage": "Staging"})
    api.wait(f"/sweeps/{sweep['sweep_id']}", until=lambda each: each["status"] in ("completed", "failed"), seconds=120)
    api.get("/sweeps")
    _delete(api, f"/sweeps/{api.post('/sweeps', {'num_runs': 2, 'epochs': 50})['sweep_id']}")
    _delete(api, f"/train/jobs/{api.post('/train', {'epochs': 90})['job_id']}")
    api.get("/experiments")
    api.get(f"/experiments/{first['experiment_name']}/runs/{first['run_id']}")
    api.get("/models")
    moved = {"model_name": "digit-classifier", "version": first["model_version"], "stage": "Staging"}
    moved = api.post("/models/transition", moved | {"reason": "permissions"}, key)
    api.wait(f"/models/transitions/{moved['transition_id']}", until=lambda each: each["status"] != "queued")
    api.get("/models/digit-classifier/history")
    for _ in range(3):
        api.post("/predict", {"image": [0.5] * 784})
    _delete(api, "/predict/cache")
    for path in ("/drift/status", "/drift/stats?hours=24", "/drift/distribution?hours=24"):
        api.get(path)
    for name in ("DriftFunction", "ReconcileFunction", "MetricsFunction"):
        invoke(name, {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
    retrain = {"model_name": "digit-classifier", "num_runs": 1, "reason": "permissions"}
    invoke("TrainingFunction", {"id": "permissions", "detail": retrain})


def _delete(api: Api, path: str) -> None:
    api.send("DELETE", path)


def _invoke(lambdas: Any, name: str, event: Any) -> None:
    lambdas.invoke(FunctionName=name, Payload=json.dumps(event).encode())


def _publish(lambdas: Any, physical: dict[str, str]) -> None:
    """Predict's alias leads to a version, which keeps the configuration it was published with."""
    version = lambdas.publish_version(FunctionName=physical["PredictFunction"])["Version"]
    lambdas.update_alias(FunctionName=physical["PredictFunction"], Name="live", FunctionVersion=version)


def _covers(statement: dict[str, Any], call: Call) -> bool:
    return (
        call.action in statement["actions"]
        and any(fnmatchcase(call.resource, resource) for resource in statement["resources"])
        and fnmatchcase(call.prefix, statement["prefix"])
    )


def _plain(resource: Any) -> str:
    """`ArtifactBucket/serving/*` of the ARN that a policy makes."""
    if isinstance(resource, str):
        return resource
    ((function, operand),) = resource.items()
    if function == "Ref":
        return str(operand)
    if function == "Fn::GetAtt":
        return str(operand[0])
    text = str(operand)
    if text.startswith("arn:${AWS::Partition}"):
        text = text.replace("AWS::", "").split(":", 5)[5]
    return text.replace(".Arn}", "}").replace("${", "").replace("}", "")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
