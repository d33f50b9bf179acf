"""What an endpoint that is like LocalStack serves: `make test-localstack` against the one of AWS_ENDPOINT_URL.

LocalStack Community has no Batch. It passes over resources that it does not know, but calls them `unknown` where others
refer to them, and then refuses a policy that names them: there the template is deployed without its Batch resources.
It mounts no layers either, so there each function has its layers inside.
"""

import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from localstack_client.session import Session

from infra.artifacts import CannotBuild, layers, runtime
from infra.local.packaging import package, read_template
from infra.local.removal import remove_bucket
from tools.runtime.functions import Artifact, zip_functions
from tools.runtime.merged import with_layers_inside

pytestmark = [
    pytest.mark.skipif("MLOPS_LOCALSTACK" not in os.environ, reason="`make test-localstack` asks for it"),
    pytest.mark.skipif("AWS_ENDPOINT_URL" not in os.environ, reason="AWS_ENDPOINT_URL names no endpoint to test"),
]
ROOT = Path(__file__).resolve().parents[2]
STACK = f"mlops-check-{uuid.uuid4().hex[:6]}"
SECONDS = 180
# What reconcile says if the tracking server does not answer. Any other error means that a function does not run.
OWN_ERROR = "parts of the round failed; the log says why: "


@pytest.fixture(scope="module")
def session() -> Session:
    key, secret = (os.environ.get(name, "test") for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    return Session(aws_access_key_id=key, aws_secret_access_key=secret)


@pytest.fixture(scope="module")
def resources(session: Session) -> Iterator[dict[str, str]]:
    """The template with Environment=local, deployed; physical ids by logical ones.

    It is deleted at the end, with the buckets that CloudFormation leaves: the code's, and the artifacts', which the
    template retains.
    """
    bucket = f"{STACK}-code"
    s3, cloudformation = session.client("s3"), session.client("cloudformation")
    s3.create_bucket(Bucket=bucket)
    found: dict[str, str] = {}
    try:
        template, archives = package(read_template(ROOT / "template.yaml"), ROOT, bucket)
        if not serves_batch(session):
            template, archives = with_layers_inside(without_batch(template), functions(), bucket)
        for key, content in {**archives, "template.json": json.dumps(template).encode()}.items():
            s3.put_object(Bucket=bucket, Key=key, Body=content)
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "template.json"})
        parameters = {"Environment": "local", "TrackingUri": "http://localhost:5000", "DatabaseHost": "localhost"}
        cloudformation.create_stack(
            StackName=STACK,
            TemplateURL=url.partition("?")[0],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            DisableRollback=True,
        )
        deadline = time.monotonic() + SECONDS
        while (stack := cloudformation.describe_stacks(StackName=STACK)["Stacks"][0])["StackStatus"].endswith(
            "PROGRESS"
        ):
            assert time.monotonic() < deadline, stack["StackStatus"]
            time.sleep(0.5)
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack.get("StackStatusReason")
        made = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
        # Some have no physical id there: those that LocalStack only takes note of.
        found = {each["LogicalResourceId"]: each.get("PhysicalResourceId", "") for each in made}
        yield found
    finally:
        # Neither waits for the other: a deletion that fails leaves no bucket of this run behind.
        cloudformation.delete_stack(StackName=STACK)
        for name in filter(None, (bucket, found.get("ArtifactBucket"))):
            remove_bucket(s3, name)


def serves_batch(session: Session) -> bool:
    try:
        session.client("batch").describe_job_queues()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 501:
            raise
        return False
    return True


def without_batch(template: dict[str, Any]) -> dict[str, Any]:
    """The template without Batch's resources, and with an ARN where one of them is referred to."""
    batch = {name for name, each in template["Resources"].items() if each["Type"].startswith("AWS::Batch::")}

    def left(value: Any) -> Any:
        match value:
            case {"Ref": str(name)} if name in batch:
                return f"arn:aws:batch:us-east-1:000000000000:job-queue/{name}"
            case dict():
                return {name: left(each) for name, each in value.items() if name not in batch}
            case list():
                return [left(each) for each in value if not (isinstance(each, str) and each in batch)]
        return value

    found: dict[str, Any] = left(template)
    return found


def functions() -> dict[str, Artifact]:
    """The functions with their built layers, by the name of their folder."""
    try:
        return zip_functions(layers(runtime()))
    except CannotBuild as problem:
        pytest.skip(f"the layers cannot be built: {problem}")


@pytest.mark.parametrize(
    "name", sorted({path.stem for path in (ROOT / "events").iterdir()} - {"migration", "tracking"})
)
def test_a_function_answers_its_event(session: Session, resources: dict[str, str], name: str) -> None:
    """There is no tracking server and no database here: what asks them says so, in a way of its own."""
    (function,) = [each.logical_id for each in zip_functions(ROOT).values() if each.name == name]
    table: Any = session.client("dynamodb")
    key = {"key_id": {"S": "events"}, "name": {"S": "events"}, "role": {"S": "admin"}}
    table.put_item(TableName=resources["AccessKeysTable"], Item=key)
    answer = session.client("lambda").invoke(
        FunctionName=resources[function], Payload=(ROOT / "events" / f"{name}.json").read_bytes()
    )
    said = json.loads(answer["Payload"].read() or "null")
    if "FunctionError" in answer:
        if "docker" in json.dumps(said).lower():
            pytest.skip("this endpoint runs functions in containers only, and has no engine for them")
        assert said["errorMessage"].startswith(OWN_ERROR), said
    elif "httpMethod" in (ROOT / "events" / f"{name}.json").read_text():
        assert said["statusCode"] in (200, 403, 404, 409, 422, 503), said
        assert json.loads(said["body"]) if name != "metrics" else said["body"]


def test_the_template_deploys(resources: dict[str, str]) -> None:
    assert {"Api", "ArtifactBucket", "JobsTable", "PromotionQueue", "PredictFunction"} <= resources.keys()


def test_the_bucket_keeps_versions(session: Session, resources: dict[str, str]) -> None:
    s3, bucket = session.client("s3"), resources["ArtifactBucket"]
    for content in (b"one", b"two"):
        s3.put_object(Bucket=bucket, Key="checkpoints/check", Body=content)
    assert s3.get_object(Bucket=bucket, Key="checkpoints/check")["Body"].read() == b"two"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_the_promotion_queue_is_fifo_with_dead_letters(session: Session, resources: dict[str, str]) -> None:
    sqs = session.client("sqs")
    found: Any = sqs.get_queue_attributes(QueueUrl=resources["PromotionQueue"], AttributeNames=["All"])["Attributes"]
    assert found["FifoQueue"] == "true"
    assert json.loads(found["RedrivePolicy"])["deadLetterTargetArn"].endswith(".fifo")


def test_a_key_goes_into_the_usage_plan(session: Session, resources: dict[str, str]) -> None:
    gateway = session.client("apigateway")
    key = gateway.create_api_key(name=STACK, enabled=True)
    plan = resources["UsagePlan"]
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    assert key["id"] in [each["id"] for each in gateway.get_usage_plan_keys(usagePlanId=plan)["items"]]
    gateway.delete_api_key(apiKey=key["id"])


def test_rules_lead_to_functions(session: Session, resources: dict[str, str]) -> None:
    events, rule = session.client("events"), resources["JobEventsFunctionJobState"].rpartition("|")[2]
    (target,) = events.list_targets_by_rule(Rule=rule)["Targets"]
    assert target["Arn"].endswith(resources["JobEventsFunction"])
