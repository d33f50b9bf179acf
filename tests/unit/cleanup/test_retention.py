"""The retention rules of models, and the weekly cleanup with its report."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cleanup import app
from mlops.domain.model_settings import ModelSettings, RetentionRules, StoredSettings
from mlops.domain.retention import versions_due
from mlops.domain.stages import Stage
from mlops.domain.timestamps import before, now, text_of
from mlops.domain.transition import Transition, TransitionStatus
from tests.support import gateway
from tests.support.crashes import Crash
from tests.unit.cleanup.conftest import MODEL, Ask, World

STAGES = {1: Stage.ARCHIVED, 2: Stage.ARCHIVED, 3: Stage.REGISTERED, 4: Stage.PRODUCTION, 5: Stage.REGISTERED}
REGISTERED = dict.fromkeys(STAGES, "2026-01-01T00:00:00.000Z")


def done(version: int, days: int, replaced: int | None = None) -> Transition:
    at = text_of(datetime.now(UTC) - timedelta(days=days))
    return Transition(
        f"tr_{100 - days:03}",
        MODEL,
        version,
        Stage.PRODUCTION,
        "ann",
        status=TransitionStatus.SUCCEEDED,
        replaced_version=replaced,
        completed_at=at,
    )


@pytest.mark.parametrize(
    ("rules", "due"),
    [
        ({}, []),
        ({"keep_versions": 2}, [1, 2, 3]),
        ({"keep_versions": 9}, []),
        ({"archived_days": 20}, [1]),
        ({"archived_days": 5}, [1, 2]),
        ({"archived_days": 40}, []),
        ({"archived_days": 5, "keep_versions": 4}, [1]),
    ],
)
def test_a_version_goes_that_no_rule_keeps(rules: dict[str, int], due: list[int]) -> None:
    transitions = [done(1, 60), done(2, 30, replaced=1), done(4, 10, replaced=2)]
    found = versions_due(RetentionRules(**rules), STAGES, REGISTERED, transitions)
    assert list(found) == due
    assert all(reason.startswith("retention: ") for reason in found.values())


def test_an_archived_version_without_transitions_counts_from_its_registration() -> None:
    rules = RetentionRules(archived_days=5)
    assert versions_due(rules, {1: Stage.ARCHIVED}, {1: before(timedelta(days=6))}, [])
    assert not versions_due(rules, {1: Stage.ARCHIVED}, {1: before(timedelta(days=4))}, [])


def set_rules(world: World, version: int = 1, **rules: int) -> None:
    settings = ModelSettings(retention=RetentionRules(**rules))
    stored = StoredSettings(version=version, settings=settings, changed_by="ann", changed_at=now(), reason="x")
    world.history.change_settings(MODEL, stored)


def cleanup(ask: Ask) -> dict[str, Any]:
    app.handler({"task": "cleanup"}, gateway.CONTEXT)
    status, answer = ask("GET", "/cleanups")
    assert status == 200
    found: dict[str, Any] = answer["cleanups"][0]
    return found


def test_a_cleanup_puts_into_the_bin_purges_and_reports(
    ask: Ask, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    set_rules(world, keep_versions=2)
    world.moved(1)
    assert ask("GET", "/cleanups") == (200, {"cleanups": []})
    first = cleanup(ask)
    assert (first["binned"], first["purged"], first["failed"]) == ([f"{MODEL}@2"], [], [])
    assert first["kept"] == [f"{MODEL}@1: has the alias production: move another version there, or archive it first"]
    (entry,) = ask("GET", "/bin")[1]["entries"]
    assert (entry["actor"], entry["reason"]) == ("retention", "retention: not among the newest 2")
    assert ask("POST", f"/models/{MODEL}/versions/2/restore", {})[0] == 200
    set_rules(world, version=2, keep_versions=4)
    assert cleanup(ask)["binned"] == []

    ask("DELETE", f"/models/{MODEL}/versions/2", reason="x")
    world.age(f"version/2/{MODEL}", until=before(timedelta(seconds=1)))
    world.put(f"conversions/{MODEL}/2/conv_1/x.onnx")
    last = cleanup(ask)
    assert (last["purged"], last["freed_bytes"]) == ([f"Version 2 of {MODEL!r}"], 20)
    assert last["counts"]["purged"] == 1
    freed = [vars(line)["CleanupFreedBytes"] for line in caplog.records if line.getMessage() == "cleanup"]
    assert freed == [0, 0, 20], "CloudWatch reads the metric from the log"
    world.check_history()


def test_one_model_that_fails_does_not_keep_the_others(ask: Ask, world: World) -> None:
    for name in ("a", MODEL):
        world.registry.add_version(name)
    for name in ("a", MODEL):
        settings = ModelSettings(retention=RetentionRules(keep_versions=1))
        world.history.change_settings(name, StoredSettings(version=1, settings=settings, reason="x"))
    key = {"part": "#settings", "item": "a"}
    world.rows.update_item(Key=key, UpdateExpression="SET settings = :x", ExpressionAttributeValues={":x": "spoiled"})
    with pytest.raises(RuntimeError, match="retention of a"):
        app.handler({"task": "cleanup"}, gateway.CONTEXT)
    (found,) = ask("GET", "/cleanups")[1]["cleanups"]
    assert (found["failed"], len(found["binned"])) == (["retention of a"], 4)


STEPS = 10
"""Changes that the cleanup below makes."""


@pytest.mark.parametrize("fatal", range(1, STEPS + 2))
def test_a_cleanup_that_dies_anywhere_is_completed_by_the_next(ask: Ask, world: World, fatal: int) -> None:
    set_rules(world, keep_versions=2)
    ask("DELETE", f"/models/{MODEL}/versions/4", reason="x")
    world.age(f"version/4/{MODEL}", until=before(timedelta(seconds=1)))
    world.put(f"conversions/{MODEL}/4/conv_1/x.onnx", f"mlflow/1/{'2' * 32}/artifacts/x")
    world.effects.begin(fatal)
    if fatal > STEPS:
        world.weekly().run()
        assert world.effects.count == STEPS
    else:
        with pytest.raises(Crash):
            world.weekly().run()
    world.effects.begin(None)
    for entry in world.bin.records.all():  # a claim of the one that died lapses after a minute
        if entry.state == "claimed":
            world.age(entry.identity, deleted_at=before(timedelta(minutes=2)))
    world.weekly().run()
    assert world.registry.registered[MODEL].versions[4] is None
    assert world.registry.hidden(MODEL) == [1]
    assert list(world.history.governance.cleanups.marks()) == [f"mlflow/1/{'2' * 32}/"]
    changes = [(each["version"], each["change"]) for each in world.entries()]
    assert sorted(changes) == [(1, "deleted"), (4, "deleted"), (4, "purged")]
    world.check_history()


def test_each_hour_what_is_in_the_bin_and_shown_is_hidden(ask: Ask, world: World) -> None:
    ask("DELETE", f"/models/{MODEL}/versions/2", reason="x")
    world.registry.show_version(MODEL, 2)
    world.age(f"version/2/{MODEL}", mirrored=False)
    answer: Any = app.handler({"source": "aws.events"}, gateway.CONTEXT)
    assert answer == {"hidden": [f"version/2/{MODEL}"], "datasets": []}
    assert world.registry.hidden(MODEL) == [2]
