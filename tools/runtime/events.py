"""The events of events/, one a function, and the role of the API key that they name."""

import json
from typing import Any

from infra.local import deploy
from infra.local.settings import Settings
from tools.runtime.artifacts import ROOT

FOLDER = ROOT / "events"


def event(name: str) -> Any:
    """The event of the function in the folder of that name."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def give_their_key_a_role(settings: Settings) -> None:
    """In the stack of `settings`, which is up, the events' key is an admin's."""
    present = deploy.describe(settings)
    assert present is not None
    deploy.client(settings, "dynamodb").put_item(
        TableName=present.outputs["AccessKeysTableName"],
        Item={"key_id": {"S": "events"}, "name": {"S": "events"}, "role": {"S": "admin"}},
    )
