"""Region and parameters of a deployment: what the shell and the files say, and what SAM gets of it."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.deploy import __main__ as command
from infra.deploy.environments import ROOT, environment
from infra.deploy.errors import DeployError
from infra.deploy.region import settle_region
from infra.local.packaging import read_template


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No account of the person who runs the tests is looked at, and their region is as before afterwards."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "PARAMETERS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    with mock_aws():
        yield


def test_without_a_region_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(DeployError, match="AWS_REGION"):
        command.account()


def test_aws_region_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 and SAM read AWS_DEFAULT_REGION only; docs/deploy.md says AWS_REGION, as AWS's other tools do."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-1")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    settle_region()
    assert boto3.Session().region_name == "eu-central-1"
    monkeypatch.delenv("AWS_REGION")
    settle_region()
    assert (os.environ["AWS_REGION"], boto3.Session().region_name) == ("eu-central-1",) * 2


def overrides(words: list[str]) -> dict[str, str]:
    """The parameters of a command `sam deploy`, with the quotes that SAM reads."""
    return dict(word.split("=", 1) for word in words[words.index("--parameter-overrides") + 1 :])


IMAGES_GIVEN = {"TrainingImage": "r/training@sha256:1", "TrackingImage": "r/tracking@sha256:2"}


def test_a_default_that_has_changed_reaches_a_stack_that_is_up() -> None:
    """For a parameter that is not named, SAM keeps the value of the deployment before."""
    declared = read_template(ROOT / "template.yaml")["Parameters"]
    given = overrides(command.deploy_command(environment("dev"), IMAGES_GIVEN))
    assert given.keys() == declared.keys()
    assert json.loads(given["DriftAlert"]) == str(declared["DriftAlert"]["Default"])


def test_spaces_quotes_and_nothing_at_all_are_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAMETERS", "'DriftSchedule=cron(0 5 * * ? *)' AlertEmail= DefaultModelName='a \"b\"'")
    given = overrides(command.deploy_command(environment("dev", command._parameters()), IMAGES_GIVEN))
    assert given["DriftSchedule"] == '"cron(0 5 * * ? *)"'
    assert given["AlertEmail"] == '""'
    assert given["DefaultModelName"] == '"a \\"b\\""'


@pytest.mark.skipif(not command.SAM.exists(), reason="make build installs SAM's command line into .venv-sam")
def test_sam_reads_the_values_that_were_given() -> None:
    target = environment("dev", ["DriftSchedule=cron(0 5 * * ? *)", "AlertEmail=", 'DefaultModelName=a "b"'])
    words = command.deploy_command(target, IMAGES_GIVEN)
    given = words[words.index("--parameter-overrides") + 1 :]
    program = (
        "import json, sys; from samcli.cli.types import CfnParameterOverridesType as Type; "
        "print(json.dumps(Type().convert(tuple(sys.argv[1:]), None, None)))"
    )
    done = subprocess.run(
        [command.SAM.with_name("python"), "-c", program, *given], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {**target.parameters, **IMAGES_GIVEN}


def test_make_hands_values_on_as_they_are() -> None:
    done = subprocess.run(
        [
            "make",
            "--dry-run",
            "deploy",
            "DRY=1",
            "ENV=dev",
            "SAM_ANSWER=",
            "PARAMETERS=DriftSchedule='cron(0 5 * * ? *)'",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = [line for line in done.stdout.splitlines() if "infra.deploy" in line]
    assert line.strip().endswith("-m infra.deploy plan --env dev")


def test_an_open_quote_is_said(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("PARAMETERS", "AlertEmail='a")
    assert command.main(["up"]) == 1
    assert capsys.readouterr().err.startswith("✘ PARAMETERS cannot be read")


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_parameters_of_the_file_stay_beside_those_of_the_command_line(name: str) -> None:
    target = environment(name, ["AlertEmail=a@example.com", "LogRetentionDays=90"])
    assert target.stack == f"mlops-{name}"
    images = {"TrainingImage": "r/training@sha256:1", "TrackingImage": "r/tracking@sha256:2"}
    words = command.deploy_command(target, images)
    given = {name: json.loads(value) for name, value in overrides(words).items()}
    assert given["Environment"] == name
    assert given["AlertEmail"] == "a@example.com"
    assert given["LogRetentionDays"] == "90"
    assert given["TrackingImage"] == "r/tracking@sha256:2"
    assert words[words.index("--image-repository") + 1] == "r/tracking"
    assert words[words.index("--config-env") + 1] == ("default" if name == "dev" else name)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [("qa", []), ("default", []), ("dev", ["x"]), ("dev", ["Environment=prod"]), ("dev", ["NoSuch=1"])],
)
def test_a_slip_is_said(name: str, overrides: list[str]) -> None:
    with pytest.raises(DeployError):
        environment(name, overrides)
