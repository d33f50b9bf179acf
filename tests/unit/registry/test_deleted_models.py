"""A model that was deleted in MLflow: its history stays readable, its files are reported, and nothing serves it."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from mlops.aws.serving_bucket import ServedModels
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.errors import NotFound
from mlops.domain.manifest import manifest_key, model_key
from mlops.domain.stages import Stage
from mlops.domain.transition import Transition
from models import app
from reconcile.deleted_models import DeletedModels
from tests.support import gateway
from tests.unit.registry.fakes import World

Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def ask(transitions: TransitionsTable, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask the function; the registry has the model `kept` alone."""

    def model(name: str) -> dict[str, Any]:
        if name != "kept":
            raise NotFound(f"There is no model {name!r}")
        return {"name": name}

    monkeypatch.setenv("ACCESS_KEYS_TABLE", gateway.make_access_keys())
    monkeypatch.setattr(app.TransitionsTable, "from_environment", lambda: transitions)
    nothing = SimpleNamespace(model=lambda name: None)
    monkeypatch.setattr(app.ModelHistory, "from_environment", lambda: SimpleNamespace(bin=nothing))
    monkeypatch.setattr(app.Catalogue, "from_environment", lambda: SimpleNamespace(model=model))
    return partial(gateway.ask, app.handler)


def moved(transitions: TransitionsTable, model: str, count: int = 1) -> list[str]:
    ids = [f"tr_{number}" for number in range(count)]
    for transition_id in ids:
        transitions.create(Transition(transition_id, model, 1, Stage.PRODUCTION, "ann"))
    return ids[::-1]


def test_the_history_of_a_deleted_model_stays_readable_page_by_page(ask: Ask, transitions: TransitionsTable) -> None:
    ids, found, cursor = moved(transitions, "gone", 5), [], {}
    while True:
        status, page = ask("GET", "/models/gone/history", limit="2", **cursor)
        assert (status, page["registered"]) == (200, False)
        found += [each["transition_id"] for each in page["transitions"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == ids


def test_a_model_that_is_there_says_so_with_and_without_a_history(ask: Ask, transitions: TransitionsTable) -> None:
    empty = {"registered": True, "transitions": [], "verification": None, "next_cursor": None}
    assert ask("GET", "/models/kept/history") == (200, empty)
    moved(transitions, "kept")
    status, page = ask("GET", "/models/kept/history")
    assert (status, page["registered"], len(page["transitions"])) == (200, True, 1)


def test_a_model_that_never_was_is_not_found(ask: Ask, transitions: TransitionsTable) -> None:
    moved(transitions, "gone")
    assert ask("GET", "/models/go/history")[0] == 404
    assert ask("GET", "/models/gone")[0] == 404, "only the history is left"


def test_files_of_models_that_are_not_registered_are_reported_and_kept(aws: None) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="artifacts")
    keys = {model_key("gone", "0" * 64), model_key("kept", "1" * 64), manifest_key("kept", "Production")}
    for key in keys:
        s3.put_object(Bucket="artifacts", Key=key, Body=b"")
    tracking = SimpleNamespace(models=lambda: [SimpleNamespace(name="kept"), SimpleNamespace(name="never promoted")])
    assert DeletedModels(tracking, ServedModels("artifacts")).look() == ["gone"]  # type: ignore[arg-type]
    assert {entry["Key"] for entry in s3.list_objects_v2(Bucket="artifacts")["Contents"]} == keys


@pytest.mark.parametrize("deleted", [True, False])
def test_the_repair_says_whether_the_version_was_deleted_or_lost_its_alias(deleted: bool) -> None:
    world = World()
    world.deliver(world.ask(1, "Production"))
    world.tracking.aliases.clear()
    if deleted:
        world.tracking.tags.pop(1)
        world.tracking.stages.pop(1)
    world.deliver(world.repair())
    (entry,) = [item for item in world.transitions.items.values() if item.get("kind") == "mend"]
    assert entry["status"] == "succeeded"
    reasons = {
        True: "version 1, which had the alias production, was deleted in MLflow",
        False: "the alias production was taken from version 1 by hand",
    }
    assert entry["reason"] == reasons[deleted]
    assert world.serving.manifests == {}
    world.check()
