"""Personal keys that have ended are removed, whoever dies on the way, and nothing else is."""

from typing import Any

import boto3
import pytest

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.key_history import KeyHistory
from reconcile import expired_keys
from reconcile.expired_keys import ExpiredKeys
from reconcile.key_changes import KeyChanges
from tests.support.tables import make_table

NOW = 2_000_000_000


@pytest.fixture
def keys(aws: None) -> Any:
    return make_table("AccessKeysTable", "keys")


@pytest.fixture
def gateway(aws: None) -> Any:
    return boto3.client("apigateway")


@pytest.fixture
def make(keys: Any, gateway: Any) -> Any:
    def making(**item: Any) -> str:
        key_id = str(gateway.create_api_key(name="key", enabled=True)["id"])
        keys.put_item(Item={"key_id": key_id, "name": "ann", "role": "read", "owner": "ann", "models": ["*"], **item})
        return key_id

    return making


@pytest.fixture
def part(keys: Any) -> ExpiredKeys:
    return ExpiredKeys(DynamoTable(keys), lambda: NOW)


def left(keys: Any, gateway: Any) -> tuple[set[str], set[str]]:
    return (
        {item["key_id"] for item in keys.scan()["Items"]},
        {key["id"] for key in gateway.get_api_keys()["items"]},
    )


def test_what_has_ended_is_removed_and_the_rest_stays(keys: Any, gateway: Any, make: Any, part: ExpiredKeys) -> None:
    kept = {make(), make(until=NOW + 1), make(until=None)}
    ended = {make(until=NOW), make(until=1)}
    assert set(part.look()) == ended
    assert left(keys, gateway) == (kept, kept)
    assert part.look() == []


@pytest.mark.parametrize("step", ["delete_api_key", "delete"])
def test_a_round_that_dies_is_completed_by_the_next(
    keys: Any, gateway: Any, make: Any, part: ExpiredKeys, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(until=1)
    target: Any = part._keys if step == "delete" else part._gateway
    original = getattr(target, step)

    def dying(*arguments: Any, **options: Any) -> None:
        original(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(target, step, dying)
    with pytest.raises(KeyboardInterrupt):
        part.look()
    monkeypatch.setattr(target, step, original)
    part.look()
    assert left(keys, gateway) == (set(), set())


def test_a_round_removes_a_limited_number(
    keys: Any, gateway: Any, make: Any, part: ExpiredKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expired_keys, "MOST_KEYS", 2)
    for _ in range(3):
        make(until=1)
    assert [len(part.look()) for _ in range(3)] == [2, 1, 0]


def test_the_history_tells_of_it(keys: Any, make: Any, part: ExpiredKeys) -> None:
    history = KeyHistory(GovernanceTable(DynamoTable(make_table("GovernanceTable", "governance"))))
    changes = KeyChanges(DynamoTable(keys), history)
    ended, revoked = make(until=NOW - 10**9), make(until=NOW * 2)
    assert set(changes.look()) == {f"made {ended}", f"made {revoked}"}
    part.look()
    keys.delete_item(Key={"key_id": revoked})
    assert set(changes.look()) == {f"expired {ended}", f"revoked {revoked}"}
    assert changes.look() == []
    entries, _, problem = history.examined()
    assert problem is None
    assert {entry.document["detail"]["until"] for entry in entries} == {
        "2001-09-09T01:46:40.000Z",
        "2096-10-02T07:06:40.000Z",
    }
