"""`make deploy`, `make destroy` and `make logs FUNCTION=…`: python -m infra.deploy up|plan|destroy|logs --env dev"""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy import stacks
from infra.deploy.environments import ROOT, DeployEnvironment, environment
from infra.deploy.errors import DeployError
from infra.deploy.images import Images
from infra.deploy.plan import print_plan
from infra.deploy.region import settle_region
from infra.deploy.service_roles import make_roles
from infra.deploy.smoke import Smoke, SmokeFailed
from infra.deploy.versions import delete_old_versions

SAM = ROOT / ".venv-sam" / "bin" / "sam"
SMOKE_KEY = "smoke-test"
BY_HAND = """The stack is deleted. These resources hold data, so they are kept, and cost money until you delete them:
  the artifact bucket (empty it first, old versions too), the DynamoDB tables except the one whose items expire, the
  parameters of webhooks, the last snapshot of the database, the image repositories, API Gateway's log role (other
  APIs may use it), and the bucket in which `sam deploy` keeps code. docs/operations.md has the commands."""


def account() -> str:
    """Return the account that this shell is logged in to. Raises DeployError when there is none."""
    settle_region()
    try:
        session = boto3.Session()
        if not session.region_name:
            raise DeployError("no region: set AWS_REGION, or name a profile that has one with AWS_PROFILE")
        number: str = session.client("sts").get_caller_identity()["Account"]
        return number
    except (BotoCoreError, ClientError) as error:
        reason = " ".join(str(error).split())
        raise DeployError(
            f"no AWS credentials that work: {reason}; log in, or name a profile with AWS_PROFILE"
        ) from None


def up(target: DeployEnvironment, unasked: bool = False) -> None:
    """Build, push, deploy, publish the model types, delete old versions, and run the smoke test."""
    number = account()
    images = Images(boto3.client("ecr"), target.stack)
    images.check()
    stacks.check_state(boto3.client("cloudformation"), target.stack, target.name)
    print(f"deploying {target.stack} to the account {number}, {boto3.Session().region_name}")
    for service in make_roles(boto3.client("iam")):
        print(f"made the service-linked role of {service}")
    _run("make", "--silent", "build")
    pushed = images.push_all(target.parameters)
    printed = images.model_types()
    _run(*deploy_command(target, pushed, unasked))
    publish(target.stack, printed)
    functions = _physical_ids(target.stack)
    for name in ("predict", "tracking"):
        for version in delete_old_versions(boto3.client("lambda"), functions[f"{name.capitalize()}Function"]):
            print(f"deleted the old version {version} of {name}")
    smoke_test(target.stack)


def plan(target: DeployEnvironment) -> None:
    """Say what `up` would make, and check what can be checked. It changes nothing."""
    number = account()
    print(f"{target.stack} in the account {number}, {boto3.Session().region_name}")
    print_plan(target, boto3.client)  # type: ignore[arg-type]  # its overloads name each service


def deploy_command(target: DeployEnvironment, images: dict[str, str], unasked: bool = False) -> list[str]:
    """Make the command `sam deploy` with all parameters of the template.

    For a parameter that is not named SAM keeps the value of the last deployment, also when its default has changed.
    """
    parameters = {**target.parameters, **images}
    return [
        *(str(SAM), "deploy", "--config-env", target.section),
        *("--image-repository", images["TrackingImage"].partition("@")[0]),
        *(["--no-confirm-changeset"] if unasked else []),
        *("--parameter-overrides", *(f"{name}={_quoted(value)}" for name, value in parameters.items())),
    ]


def _quoted(value: str) -> str:
    """Quote a value as SAM reads it: without quotes a value ends at its first space, and may not be empty."""
    escaped = value.replace('"', '\\"')
    return f'"{escaped}"'


def publish(stack: str, printed: bytes) -> None:
    """Put the model types of the deployed image into the bucket, where the function `training` reads them."""
    from mlops.domain.model_types import DOCUMENT_KEY
    from mlops_client.operator.aws import stack_outputs

    bucket = stack_outputs(stack)["ArtifactBucketName"]
    boto3.client("s3").put_object(Bucket=bucket, Key=DOCUMENT_KEY, Body=printed, ContentType="application/json")


def smoke_test(stack: str) -> None:
    """Run the smoke test with a key of its own, which is revoked afterwards. Raises DeployError."""
    from mlops_client.operator.aws import stack_outputs
    from mlops_client.operator.keys import Keys

    outputs = stack_outputs(stack)
    keys = Keys(outputs)
    key_id, value = keys.create(SMOKE_KEY, "read", SMOKE_KEY)
    try:
        Smoke(outputs["ApiUrl"], value).run()
    except SmokeFailed as failure:
        raise DeployError(f"deployed, but the smoke test failed: {failure}") from None
    finally:
        keys.revoke(key_id)
    print(f"{stack} is up: {outputs['ApiUrl']}/docs")


def destroy(target: DeployEnvironment) -> None:
    """Ask, then delete the stack, in whatever state it is. Raises DeployError.

    What was typed is the consent to delete the database too, so its protection is lifted only then.
    """
    number = account()
    client, rds = boto3.client("cloudformation"), boto3.client("rds")
    if stacks.state(client, target.stack) is None:
        raise DeployError(f"there is no stack {target.stack} in the account {number}; nothing was deleted")
    protected = stacks.protected_databases(client, rds, target.stack)
    also = " and its protected database, of which a last snapshot is kept," if protected else ""
    print(
        f"this deletes the stack {target.stack}{also} of the account {number}; type its name to go on: ",
        end="",
        flush=True,
    )
    if sys.stdin.readline().strip() != target.stack:
        raise DeployError("not confirmed; nothing was deleted")
    revoked = stacks.revoke_keys(client, boto3.client("apigateway"), target.stack)
    print(f"revoked {revoked} API keys")
    stacks.delete(client, rds, target.stack, protected)
    print(BY_HAND)


def logs(target: DeployEnvironment, function: str) -> None:
    """Follow the log of a function. Raises DeployError for one that the stack does not have."""
    account()
    logical_id = "".join(part.capitalize() for part in function.split("_")) + "Logs"
    groups = _physical_ids(target.stack)
    if not groups:
        raise DeployError(f"there is no stack {target.stack}; deploy it first: make deploy ENV={target.name}")
    if logical_id not in groups:
        raise DeployError(f"there is no function {function!r}; FUNCTION is the name of its folder in functions/")
    _run(str(SAM), "logs", "--cw-log-group", groups[logical_id], "--tail")


def _physical_ids(stack: str) -> dict[str, str]:
    """Return physical ids by logical ids, without resources that were never created."""
    found = stacks.resources(boto3.client("cloudformation"), stack)
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}


def _run(*command: str) -> None:
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
    if subprocess.run(command, cwd=ROOT, env=environment).returncode:
        name = " ".join([Path(command[0]).name, *command[1:3]])
        raise DeployError(f"`{name}` failed; it says why above. Nothing else was done")


def _parameters() -> list[str]:
    """Read the variable PARAMETERS as a shell would, so that values may have spaces and brackets."""
    try:
        return shlex.split(os.environ.get("PARAMETERS", ""))
    except ValueError as error:
        raise DeployError(f"PARAMETERS cannot be read: {error}; close each quote") from None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    parser.add_argument("command", choices=["up", "plan", "destroy", "logs"])
    parser.add_argument("--env", default="dev")
    parser.add_argument("--yes", action="store_true", help="deploy without SAM's question")
    parser.add_argument(
        "words",
        nargs="*",
        help="up, plan: Name=value of template parameters, instead of PARAMETERS; logs: the function",
    )
    options = parser.parse_intermixed_args(arguments)  # the words may come after an option
    try:
        if options.command == "logs":
            logs(environment(options.env), options.words[0] if options.words else "")
        elif options.command == "up":
            up(environment(options.env, options.words or _parameters()), options.yes)
        elif options.command == "plan":
            plan(environment(options.env, options.words or _parameters()))
        else:
            destroy(environment(options.env))
    except DeployError as error:
        print(f"✘ {error}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"✘ AWS refused: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
