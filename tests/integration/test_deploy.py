"""`make deploy` and `make destroy` from end to end against the session's local AWS.

Docker, SAM and make are programs that stand in for them: they write down how they were called, and leave in that AWS
what they would leave on AWS: an image, a stack. The smoke test asks the session's real API, with a key made for it.
"""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.deploy import __main__ as command
from infra.deploy.versions import KEPT
from infra.local.environment import aws_environment
from infra.local.model_types import KEY

STACK = "mlops-dev"
DATABASE = {
    "Parameters": {"DeletionProtection": {"Type": "String"}},
    "Resources": {"Settings": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}},
}
FUNCTION = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/function",
        "Code": {"ZipFile": "def handler(event, context): pass"},
    },
}
TEMPLATE = {
    "Parameters": {"DatabaseDeletionProtection": {"Type": "String", "Default": "true"}},
    "Resources": {
        "JobEventsLogs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "deploy-test"}},
        "PredictFunction": FUNCTION,
        "TrackingFunction": FUNCTION,
    },
}
# The second and third line are for the shell, and a text for Python: a path in the first line could have no space.
STAND_IN = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import json, os, sys
from pathlib import Path

name, arguments = Path(sys.argv[0]).name, sys.argv[1:]
given = "" if name != "docker" or arguments[0] != "login" else sys.stdin.read()
with open(os.environ["STAND_INS_LOG"], "a") as log:
    log.write(json.dumps([name, *arguments]) + "\\n")
if " ".join([name, *arguments]).startswith(os.environ.get("STAND_INS_FAIL", "nothing")):
    sys.exit(f"{{name}}: refused")
if name == "docker" and arguments[0] == "login":
    assert given and given not in arguments, "the password is no argument: anyone could see it"
if name == "docker" and arguments[0] == "build":
    assert Path(arguments[arguments.index("-f") + 1]).is_file()
if name == "docker" and arguments[0] == "push":
    import boto3

    repository, tag = arguments[1].partition("/")[2].split(":")
    manifest = json.dumps({{"config": {{"digest": repository}}}})
    boto3.client("ecr").put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)
if name == "docker" and arguments[0] == "run":
    assert arguments[-3:] == ["-m", "trainer", "types"]
    print(Path(os.environ["STAND_INS_TYPES"]).read_text())
if name == "sam" and arguments[0] == "deploy":
    import boto3

    cloudformation = boto3.client("cloudformation")
    words = [word.split("=", 1) for word in arguments[arguments.index("--parameter-overrides") + 1 :]]
    parameters = {{name: json.loads(value) for name, value in words}}
    declared = json.loads(os.environ["STAND_INS_TEMPLATE"])
    given = [
        {{"ParameterKey": each, "ParameterValue": parameters[each]}}
        for each in declared["Parameters"] if each in parameters
    ]
    asked = {{"StackName": "{stack}", "TemplateBody": json.dumps(declared), "Parameters": given}}
    try:
        cloudformation.create_stack(**asked)
    except cloudformation.exceptions.AlreadyExistsException:
        try:
            cloudformation.update_stack(**asked)
        except cloudformation.exceptions.ClientError as error:  # samconfig.toml: fail_on_empty_changeset = false
            if "No updates" not in str(error):
                raise
    while cloudformation.describe_stacks(StackName="{stack}")["Stacks"][0]["StackStatus"].endswith("IN_PROGRESS"):
        pass
"""


class Tools:
    """The programs, first on the path: how they were called, and which of them fails."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._log, self._monkeypatch = folder / "log", monkeypatch
        self._log.touch()
        for name in ("docker", "make", "sam"):
            program = folder / name
            program.write_text(STAND_IN.format(python=sys.executable, stack=STACK))
            program.chmod(0o755)
        monkeypatch.setattr(command, "SAM", folder / "sam")
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
        monkeypatch.setenv("STAND_INS_LOG", str(self._log))

    def fail(self, how: str) -> None:
        self._monkeypatch.setenv("STAND_INS_FAIL", how)

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def verbs(self) -> list[str]:
        """`make build`, `docker push`: the program and what it was asked for, options left out."""
        return [" ".join([name, next(word for word in words if word[:1] != "-")]) for name, *words in self.calls()]


@pytest.fixture
def tools(stack: Any, outputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws_client: Any) -> Any:
    """The programs, and a shell that is logged in to the local AWS; whatever was deployed is gone afterwards."""
    for name, value in aws_environment(stack.settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    s3, bucket = aws_client("s3"), "deploy-test"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="database.json", Body=json.dumps(DATABASE).encode())
    nested = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {
            "TemplateURL": f"{stack.env['AWS_ENDPOINT_URL']}/{bucket}/database.json",
            "Parameters": {"DeletionProtection": {"Ref": "DatabaseDeletionProtection"}},
        },
    }
    own = {**outputs, "ApiUrl": stack.api_url}
    wanted = ("StackName", "ApiUrl", "UsagePlanId", "AccessKeysTableName", "ArtifactBucketName")
    template = {
        **TEMPLATE,
        "Resources": {**TEMPLATE["Resources"], "Database": nested},
        "Outputs": {name: {"Value": own[name]} for name in wanted},
    }
    monkeypatch.setenv("STAND_INS_TEMPLATE", json.dumps(template))
    types = s3.get_object(Bucket=outputs["ArtifactBucketName"], Key=KEY)["Body"].read()
    (tmp_path / "types.json").write_bytes(types)
    monkeypatch.setenv("STAND_INS_TYPES", str(tmp_path / "types.json"))
    yield Tools(tmp_path, monkeypatch)
    aws_client("cloudformation").delete_stack(StackName=STACK)
    for repository in aws_client("ecr").describe_repositories()["repositories"]:
        aws_client("ecr").delete_repository(repositoryName=repository["repositoryName"], force=True)


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Callable[[], tuple[str, str]]:
    return lambda: tuple(text.strip() for text in capfd.readouterr())


def stacks(aws_client: Any) -> list[str]:
    found = aws_client("cloudformation").describe_stacks()["Stacks"]
    return [each["StackName"] for each in found if each["StackStatus"] != "DELETE_COMPLETE"]


def keys(aws_client: Any, outputs: dict[str, str]) -> list[str]:
    found = aws_client("apigateway").get_usage_plan_keys(usagePlanId=outputs["UsagePlanId"])["items"]
    return sorted(each["id"] for each in found)


@pytest.mark.slow
def test_up_goes_from_images_to_a_platform_that_answers(
    tools: Tools, said: Any, aws_client: Any, outputs: dict[str, str]
) -> None:
    before = keys(aws_client, outputs)
    assert command.main(["up", "--env", "dev", "AlertEmail=a@example.com"]) == 0
    assert tools.verbs() == [
        "docker version",
        "make build",
        "docker login",
        *("docker build", "docker push", "docker build", "docker push"),
        "docker run",
        "sam deploy",
    ]
    words = tools.calls()[-1]
    given = (word.split("=", 1) for word in words[words.index("--parameter-overrides") + 1 :])
    parameters = {name: json.loads(value) for name, value in given}
    ecr = aws_client("ecr")
    for parameter, name in (("TrainingImage", "training"), ("TrackingImage", "tracking")):
        repository = ecr.describe_repositories(repositoryNames=[f"{STACK}/{name}"])["repositories"][0]
        (image,) = ecr.describe_images(repositoryName=f"{STACK}/{name}")["imageDetails"]
        assert parameters[parameter] == f"{repository['repositoryUri']}@{image['imageDigest']}"
    assert parameters["AlertEmail"] == "a@example.com"
    assert said()[0].splitlines()[-1].startswith(f"{STACK} is up: ")
    assert keys(aws_client, outputs) == before, "the smoke test's key is gone"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["PredictFunction", "TrackingFunction"])
def test_up_again_deletes_old_versions(tools: Tools, aws_client: Any, name: str) -> None:
    assert command.main(["up"]) == 0
    resources = aws_client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    function = next(each["PhysicalResourceId"] for each in resources if each["LogicalResourceId"] == name)
    lambdas = aws_client("lambda")
    for number in range(KEPT + 2):
        lambdas.update_function_configuration(FunctionName=function, Description=str(number))
        lambdas.publish_version(FunctionName=function)
    assert command.main(["up"]) == 0
    left = [each["Version"] for each in lambdas.list_versions_by_function(FunctionName=function)["Versions"]]
    assert left == ["$LATEST", "3", "4"]


@pytest.mark.parametrize(
    ("failing", "last", "reason"),
    [
        ("docker version", "docker version", "the Docker engine does not answer"),
        ("make", "make build", "`make --silent build` failed"),
        ("docker login", "docker login", "docker cannot log in to the registry: docker: refused"),
        ("docker build", "docker build", "the training image could not be built"),
        ("docker push", "docker push", "the training image could not be pushed"),
        ("sam deploy", "sam deploy", "`sam deploy --config-env` failed"),
    ],
)
def test_what_fails_ends_it_with_one_line(
    tools: Tools, said: Any, aws_client: Any, failing: str, last: str, reason: str
) -> None:
    tools.fail(failing)
    assert command.main(["up"]) == 1
    assert tools.verbs()[-1] == last
    (line,) = [each for each in said()[1].splitlines() if each.startswith("✘")]
    assert reason in line
    assert STACK not in stacks(aws_client)


@pytest.mark.slow
def test_a_platform_that_does_not_answer_is_said(
    tools: Tools, said: Any, aws_client: Any, outputs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    template = json.loads(os.environ["STAND_INS_TEMPLATE"])
    template["Outputs"]["ApiUrl"]["Value"] = "http://127.0.0.1:9"
    monkeypatch.setenv("STAND_INS_TEMPLATE", json.dumps(template))
    before = keys(aws_client, outputs)
    assert command.main(["up"]) == 1
    assert "deployed, but the smoke test failed" in said()[1]
    assert keys(aws_client, outputs) == before


@pytest.mark.slow
def test_destroy_asks_for_the_name(tools: Tools, said: Any, aws_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def destroy(answer: str) -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        return command.main(["destroy"])

    assert destroy(f"{STACK}\n") == 1
    assert "there is no stack" in said()[1]
    assert command.main(["up"]) == 0
    assert destroy("\n") == 1
    assert said()[1].endswith("not confirmed; nothing was deleted")
    assert STACK in stacks(aws_client)
    assert destroy(f"{STACK}\n") == 0
    assert STACK not in stacks(aws_client)
    assert "kept" in said()[0]


@pytest.mark.slow
def test_logs_follows_a_functions_group(tools: Tools, said: Any) -> None:
    assert command.main(["up"]) == 0
    assert command.main(["logs", "--env", "dev", "job_events"]) == 0
    assert tools.calls()[-1] == ["sam", "logs", "--cw-log-group", "deploy-test", "--tail"]
    assert command.main(["logs", "--env", "dev", "job_event"]) == 1
    assert said()[1].endswith("there is no function 'job_event'; FUNCTION is the name of its folder in functions/")
