"""The events of events/, one for each function, and the role of the API key that they name."""

import json
from typing import Any

import boto3

from infra.artifacts import ROOT
from infra.local import deploy
from infra.local.environment import aws_environment
from infra.local.settings import Settings
from mlops_client.operator.grants import GrantsFile

FOLDER = ROOT / "events"


def event(name: str) -> Any:
    """Read the event of a function, by the name of its folder."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def give_their_key_a_role(settings: Settings) -> None:
    """Make the key of the events an admin's, in the running stack of `settings`."""
    present = deploy.describe(settings)
    assert present is not None
    environment = aws_environment(settings)
    aws = boto3.Session(
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )
    resource: Any = aws.resource("dynamodb", endpoint_url=environment["AWS_ENDPOINT_URL"])
    table = resource.Table(present.outputs["AccessKeysTableName"])
    table.put_item(Item={"key_id": "events", "name": "events", "role": "admin"})
    GrantsFile(deploy.client(settings, "s3"), present.outputs["ArtifactBucketName"], table).write()
