"""The history of keys: an entry for each key that was made, changed or revoked, whoever did it and however."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import Any

import pytest
from botocore.client import BaseClient

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.key_history import CHAIN, KeyHistory
from mlops.domain.errors import DependencyUnavailable
from reconcile.key_changes import KeyChanges
from tests.support.crashes import Crash, Effects
from tests.support.tables import make_table
from tests.unit.rollout.conftest import WatchedTable


@pytest.fixture
def keys(aws: None) -> Any:
    return make_table("AccessKeysTable", "keys")


@pytest.fixture
def governance(aws: None) -> Any:
    return make_table("GovernanceTable", "governance")


@pytest.fixture
def history(governance: Any) -> KeyHistory:
    return KeyHistory(GovernanceTable(DynamoTable(governance)))


@pytest.fixture
def part(keys: Any, history: KeyHistory) -> KeyChanges:
    return KeyChanges(DynamoTable(keys), history)


def put(keys: Any, key_id: str, **changes: Any) -> None:
    keys.put_item(Item={"key_id": key_id, "name": "ann", "role": "read", "owner": "team", "models": ["a*"], **changes})


def said(history: KeyHistory) -> list[tuple[str, str, str]]:
    entries, _, problem = history.examined()
    assert problem is None
    details = [entry.document["detail"] for entry in entries]
    return [(each["change"], each["key_id"], each["role"]) for each in details]


def test_each_change_is_an_entry_once(keys: Any, part: KeyChanges, history: KeyHistory) -> None:
    assert part.look() == []
    put(keys, "k1")
    put(keys, "k2", role="admin")
    keys.put_item(Item={"key_id": "by-hand-without-a-role", "name": "eve"})
    assert part.look() == ["made k1", "made k2"]
    assert part.look() == []
    put(keys, "k1", role="admin")
    assert part.look() == ["changed k1"]
    put(keys, "k1")  # and back
    assert part.look() == ["changed k1"]
    keys.delete_item(Key={"key_id": "k1"})
    assert part.look() == ["revoked k1"]
    assert part.look() == []
    put(keys, "k1")
    assert part.look() == ["made k1"]
    assert said(history) == [
        *(("made", "k1", "read"), ("made", "k2", "admin"), ("changed", "k1", "admin"), ("changed", "k1", "read")),
        *(("revoked", "k1", "read"), ("made", "k1", "read")),
    ]


@pytest.mark.parametrize("changed", [{"owner": "others"}, {"models": ["*"]}, {"name": "bob"}])
def test_a_key_that_gets_another_owner_or_other_models_is_an_entry(
    keys: Any, part: KeyChanges, history: KeyHistory, changed: dict[str, Any]
) -> None:
    put(keys, "k1")
    part.look()
    put(keys, "k1", **changed)
    assert part.look() == ["changed k1"]
    *_, last = history.examined()[0]
    assert last.document["detail"].items() >= changed.items()


def test_rounds_at_the_same_time_write_each_entry_once(
    keys: Any, part: KeyChanges, history: KeyHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        put(keys, f"k{number}")
    call, one_at_a_time = BaseClient._make_api_call, Lock()

    def atomic(*arguments: Any) -> Any:
        # DynamoDB does each request as a whole; moto copies a table while another thread writes to it.
        with one_at_a_time:
            return call(*arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", atomic)

    def rounds(_: int) -> None:
        with suppress(DependencyUnavailable):  # a round that others were always faster than leaves it to the next one
            part.look()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(rounds, range(4)))
    part.look()
    assert sorted(said(history)) == [("made", f"k{number}", "read") for number in range(6)]


@pytest.mark.parametrize("fatal", [1, 2])
def test_a_round_that_dies_between_two_entries_is_finished_by_the_next(
    keys: Any, governance: Any, history: KeyHistory, fatal: int
) -> None:
    put(keys, "k1")
    put(keys, "k2")
    effects = Effects()
    dying = KeyChanges(DynamoTable(keys), KeyHistory(GovernanceTable(WatchedTable(governance, effects))))
    effects.begin(fatal)
    with pytest.raises(Crash):
        dying.look()
    effects.fatal = None
    dying.look()
    assert said(history) == [("made", "k1", "read"), ("made", "k2", "read")]


def test_an_entry_that_was_changed_or_removed_is_found(
    keys: Any, governance: Any, part: KeyChanges, history: KeyHistory
) -> None:
    put(keys, "k1", role="admin")
    put(keys, "k2")
    part.look()
    key = {"part": CHAIN, "item": f"entry#{2:09d}"}
    item = governance.get_item(Key=key)["Item"]
    governance.put_item(Item={**item, "text": item["text"].replace("admin", "read")})
    assert history.examined()[2] == "entry 2 was changed"
    governance.delete_item(Key=key)
    assert history.examined()[2] == "entry 2 is missing"


def test_the_last_hash_is_among_those_that_are_kept_elsewhere(keys: Any, part: KeyChanges, governance: Any) -> None:
    put(keys, "k1")
    part.look()
    assert GovernanceTable(DynamoTable(governance)).heads().keys() == {CHAIN}
