"""The chain of a model's history, and its settings, on moto's tables: what is written once, and what is found."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from boto3.dynamodb.conditions import Key

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.dynamodb_requests import Put, Update
from mlops.aws.governance_table import GovernanceTable, VersionConflict
from mlops.aws.model_history import ModelHistory
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.history import canonical
from mlops.domain.model_settings import ModelSettings, StoredSettings
from mlops.domain.stages import Stage
from mlops.domain.transition import GateResult, Transition, TransitionStatus
from tests.support.tables import make_table

MODEL = "m"


@pytest.fixture
def rows(aws: None) -> Any:
    return make_table("GovernanceTable", "governance")


class Atomic(DynamoTable):
    """Transactions one after the other, as in DynamoDB: moto's are not isolated from each other."""

    _lock = threading.Lock()

    def transact(self, writes: Iterable[Put | Update]) -> None:
        with self._lock:
            super().transact(writes)


@pytest.fixture
def history(rows: Any, transitions: TransitionsTable) -> ModelHistory:
    return ModelHistory(GovernanceTable(Atomic(rows)), transitions)


def ended(history: ModelHistory, number: int, announced: bool = True) -> Transition:
    """A transition that has ended, and is in the chain if it was announced."""
    made = Transition(f"tr_{number:03d}", MODEL, number, Stage.PRODUCTION, "ann", reason="better", actor_owner="team")
    history.transitions.create(made)
    gates = (GateResult("metric", True, "accuracy 0.9 of 0.8"),)
    history.transitions.finish(made, TransitionStatus.SUCCEEDED, gates=gates)
    made = history.transitions.get(MODEL, made.transition_id)
    if announced:
        history.ended(made)
    history.transitions.close(made)
    return made


def entries(history: ModelHistory) -> list[dict[str, Any]]:
    return [entry.document for entry in history.governance.entries(MODEL)]


def test_the_chain_begins_with_what_was_there_before(history: ModelHistory) -> None:
    ended(history, 1, announced=False)
    ended(history, 2, announced=False)
    ended(history, 3)
    genesis, first = entries(history)
    assert (genesis["kind"], genesis["seq"], genesis["detail"]["transitions"]) == ("genesis", 1, 2)
    assert genesis["detail"]["open"] == ["tr_003"]
    assert (first["kind"], first["id"], first["seq"]) == ("transition", "tr_003", 2)
    assert first["detail"]["reason"] == "better"
    head, problem = history.verify(MODEL)
    assert (head and head.seq, problem) == (2, None)


def test_a_model_without_a_chain_is_as_it_was_written(history: ModelHistory) -> None:
    assert history.verify(MODEL) == (None, None)


def test_an_entry_is_written_once(history: ModelHistory) -> None:
    made = ended(history, 1)
    for _ in range(3):
        history.ended(made)
    assert [entry["kind"] for entry in entries(history)] == ["genesis", "transition"]


def test_many_at_once_write_one_chain(history: ModelHistory) -> None:
    def append(number: int) -> None:
        while True:
            try:
                return history.append(MODEL, "approval", f"entry-{number % 12}", {"number": number % 12})
            except DependencyUnavailable:
                continue

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(24)))
    found = entries(history)
    assert [entry["seq"] for entry in found] == list(range(1, 14))
    assert sorted(entry["id"] for entry in found[1:]) == sorted(f"entry-{number}" for number in range(12))
    assert history.verify(MODEL)[1] is None


def chain(rows: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rows.query(KeyConditionExpression=Key("part").eq(MODEL))["Items"]
    return [item for item in found if item["item"].startswith("entry#")]


def rewrite(rows: Any, number: int, **changes: Any) -> None:
    rows.put_item(Item={**chain(rows)[number - 1], **changes})


def remove(rows: Any, number: int) -> None:
    item = chain(rows)[number - 1]
    rows.delete_item(Key={"part": item["part"], "item": item["item"]})


def forge(rows: Any, number: int) -> None:
    """Change an entry and make its own hash fit, as somebody would who knows the form."""
    import hashlib

    text = chain(rows)[number - 1]["text"].replace("better", "worse")
    rewrite(rows, number, text=text, sha256=hashlib.sha256(text.encode()).hexdigest())


def row_of_transition(history: ModelHistory, number: int, **changes: Any) -> None:
    table = history.transitions._table._table
    item = table.get_item(Key={"model_name": MODEL, "transition_id": f"tr_{number:03d}"})["Item"]
    table.put_item(Item={**item, **changes})


TAMPERINGS: dict[str, tuple[Callable[[Any, ModelHistory], Any], str]] = {
    "text": (lambda rows, _: rewrite(rows, 3, text=chain(rows)[2]["text"].replace("better", "worse")), "entry 3 was"),
    "hash": (lambda rows, _: rewrite(rows, 3, sha256="0" * 64), "entry 3 was changed"),
    "garbage": (lambda rows, _: rewrite(rows, 2, text="{"), "entry 2 is not JSON"),
    "forged": (lambda rows, _: forge(rows, 2), "entry 3 does not follow"),
    "forged last": (lambda rows, _: forge(rows, 4), "not at its head"),
    "removed": (lambda rows, _: remove(rows, 2), "entry 2 is missing"),
    "removed first": (lambda rows, _: remove(rows, 1), "entry 1 is missing"),
    "removed last": (lambda rows, _: remove(rows, 4), "not at its head"),
    "transition": (lambda _, history: row_of_transition(history, 2, actor="bob"), "tr_002 differs from entry 2"),
    "gates": (lambda _, history: row_of_transition(history, 3, gates=[]), "tr_003 differs from entry 3"),
    "transition removed": (
        lambda _, history: history.transitions._table.delete({"model_name": MODEL, "transition_id": "tr_004"}),
        "tr_004 of entry 4 is missing",
    ),
    "before the chain": (lambda _, history: row_of_transition(history, 1, reason="worse"), "from before the chain"),
    "removed before": (
        lambda _, history: history.transitions._table.delete({"model_name": MODEL, "transition_id": "tr_001"}),
        "from before the chain",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_what_was_changed_is_found(rows: Any, history: ModelHistory, name: str) -> None:
    ended(history, 1, announced=False)
    for number in (2, 3, 4):
        ended(history, number)
    assert history.verify(MODEL)[1] is None
    tamper, found = TAMPERINGS[name]
    tamper(rows, history)
    problem = history.verify(MODEL)[1]
    assert problem is not None
    assert found in problem


def settings(version: int, **values: Any) -> StoredSettings:
    return StoredSettings(version, ModelSettings.model_validate(values), "ann", "team", "2026-01-31", "because")


def test_a_change_of_settings_and_its_entry_are_one(history: ModelHistory) -> None:
    assert history.settings(MODEL) == StoredSettings()
    history.change_settings(MODEL, settings(1, approvals={"Production": 1}))
    history.change_settings(MODEL, settings(2, gate={"metric_margin": 0.02}))
    assert history.settings(MODEL) == settings(2, gate={"metric_margin": 0.02})
    *_, last = entries(history)
    assert (last["kind"], last["detail"]["changed_by"], last["detail"]["reason"]) == ("settings", "ann", "because")
    assert last["detail"]["settings"]["gate"] == {"metric_margin": 0.02}
    assert history.verify(MODEL)[1] is None


def test_settings_that_somebody_else_has_changed_are_not_replaced(history: ModelHistory) -> None:
    history.change_settings(MODEL, settings(1))
    for stale in (1, 3):
        with pytest.raises(VersionConflict):
            history.change_settings(MODEL, settings(stale, description="lost"))
    assert history.settings(MODEL) == settings(1)
    assert [entry["kind"] for entry in entries(history)] == ["genesis", "settings"]


def test_of_many_changes_at_once_one_counts(history: ModelHistory) -> None:
    def change(number: int) -> bool:
        try:
            history.change_settings(MODEL, settings(1, description=str(number)))
        except (VersionConflict, DependencyUnavailable):
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(change, range(6))) == 1
    assert len(entries(history)) == 2


def test_settings_of_a_later_version_are_read_as_far_as_they_are_known(rows: Any, history: ModelHistory) -> None:
    record = settings(1, gate={"metric_margin": 0.5}).to_record()
    record["settings"]["gate"]["later"] = record["settings"]["later"] = 1
    history.governance._table.put({"part": "#settings", "item": MODEL, **record})
    assert history.settings(MODEL) == settings(1, gate={"metric_margin": 0.5})
    record["settings"]["approvals"] = {"Production": "two"}
    history.governance._table.put({"part": "#settings", "item": MODEL, **record})
    with pytest.raises(DependencyUnavailable):  # not knowing how many approvals it needs, nothing is promoted
        history.settings(MODEL)


@pytest.mark.parametrize(
    ("values", "stage", "force", "needed"),
    [
        ({}, "Production", True, 0),
        ({"Production": 2}, "Production", False, 2),
        ({"Production": 2}, "Staging", False, 0),
        ({"Production": 2}, "Staging", True, 1),
        ({"Production": 0, "Staging": 0}, "Production", True, 0),
    ],
)
def test_how_many_approvals_a_transition_needs(values: dict[str, int], stage: str, force: bool, needed: int) -> None:
    assert settings(1, approvals=values).settings.approvals_for(stage, force) == needed


def test_canonical_json_is_the_same_for_what_the_table_gives_back() -> None:
    value = {"b": [1.0, float("nan"), 1e300], "a": {"é": None, "x": True}}
    assert canonical(value) == '{"a":{"x":true,"é":null},"b":[1,"nan",1e+300]}'
    assert canonical(replace(settings(1), settings=ModelSettings()).to_record()["settings"]) == canonical(
        {
            **{name: {} for name in ("gate", "drift", "retrain", "retention", "labels", "approvals", "tags")},
            "owners": [],
            "description": "",
        }
    )
