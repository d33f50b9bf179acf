"""The events of events/, one for each function, and the role of the API key that they name."""

import json
from typing import Any

from infra.local import deploy
from infra.local.settings import Settings
from tools.runtime.artifacts import ROOT

FOLDER = ROOT / "events"


def event(name: str) -> Any:
    """Read the event of a function, by the name of its folder."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def give_their_key_a_role(settings: Settings) -> None:
    """Make the key of the events an admin's, in the running stack of `settings`."""
    present = deploy.describe(settings)
    assert present is not None
    deploy.client(settings, "dynamodb").put_item(
        TableName=present.outputs["AccessKeysTableName"],
        Item={"key_id": {"S": "events"}, "name": {"S": "events"}, "role": {"S": "admin"}},
    )
