"""The routes of a model's settings and of its history, and what is written outside of the table once a day."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import pytest

from mlops.aws.bin import Bin
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.model_history import ModelHistory
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.bin import BinEntry, BinKind
from mlops.domain.errors import NotFound
from mlops.domain.model_settings import SettingsDefaults
from mlops.domain.stages import Stage
from mlops.domain.transition import Transition, TransitionStatus
from mlops.registry.rest import Version
from models import app
from models.model_settings import ModelSettingsStore
from reconcile.history_digests import PREFIX, HistoryDigests
from tests.support import gateway
from tests.support.tables import make_table
from transitions.export import PromotionExports

MODEL = "m"
DEFAULTS = SettingsDefaults(0.01, 50.0, 0.001, 0.0, 0.1, 0.2, 0.25, 200, False, False, 24.0, 1, "Staging", 24, 100, 0.5)
GATE = {"metric_margin": 0.01, "max_latency_ms": 50.0, "proof_tolerance": 0.001, "min_live_accuracy": 0.0}
Ask = Callable[..., tuple[int, dict[str, Any]]]


class FakeCatalogue:
    def model(self, name: str) -> dict[str, Any]:
        if name != MODEL:
            raise NotFound("no such model")
        return {"production_version": None, "staging_version": None}


@pytest.fixture
def history(transitions: TransitionsTable) -> ModelHistory:
    return ModelHistory(GovernanceTable(DynamoTable(make_table("GovernanceTable", "governance"))), transitions)


@pytest.fixture
def ask(history: ModelHistory, monkeypatch: pytest.MonkeyPatch) -> Ask:
    store = ModelSettingsStore(history, DEFAULTS)
    monkeypatch.setattr(ModelSettingsStore, "from_environment", lambda: store)
    monkeypatch.setattr(ModelHistory, "from_environment", lambda: history)
    monkeypatch.setattr(TransitionsTable, "from_environment", lambda: history.transitions)
    monkeypatch.setattr(app.Catalogue, "from_environment", FakeCatalogue)
    monkeypatch.setenv("ACCESS_KEYS_TABLE", gateway.make_access_keys())
    return partial(gateway.ask, app.handler)


def put(ask: Ask, version: int, **settings: Any) -> tuple[int, dict[str, Any]]:
    body = {"expected_version": version, "settings": settings, "reason": "because"}
    return ask("PUT", f"/models/{MODEL}/settings", body)


def test_what_is_not_set_is_as_the_stack_says(ask: Ask) -> None:
    status, state = ask("GET", f"/models/{MODEL}/settings")
    assert (status, state["version"], state["changed_by"]) == (200, 0, None)
    assert state["effective"]["gate"] == GATE
    status, state = put(ask, 0, gate={"metric_margin": 0.2}, approvals={"Production": 1}, owners=["ann"])
    assert (status, state["version"], state["changed_by"], state["reason"]) == (200, 1, "ann", "because")
    assert ask("GET", f"/models/{MODEL}/settings")[1] == state
    assert state["effective"]["gate"] == GATE | {"metric_margin": 0.2}
    assert state["effective"]["drift"]["minimum_samples"] == 200
    assert state["settings"]["drift"]["minimum_samples"] is None


def test_verdicts_of_labels_rollouts_and_the_objective_can_be_set(ask: Ask) -> None:
    plan = {"steps": [{"weight": 5.0, "minutes": 30}], "guardrails": {"max_latency_ratio": None}}
    objective = {"name": "roc_auc"}
    status, state = put(ask, 0, labels={"delay_hours": 0}, rollout=plan, objective=objective)
    assert status == 200, state
    assert ask("GET", f"/models/{MODEL}/settings")[1] == state
    assert state["effective"]["labels"] == {"delay_hours": 0, "min_labels": 100, "min_coverage": 0.5}
    assert state["effective"]["rollout"]["guardrails"]["max_latency_ratio"] is None, "set, and so not tested"
    assert state["effective"]["rollout"]["guardrails"]["max_error_rate"] == 0.01
    assert state["effective"]["objective"] == {"name": "roc_auc", "direction": None}


def test_a_change_replaces_the_version_that_was_read(ask: Ask) -> None:
    assert put(ask, 0, description="first")[0] == 200
    status, problem = put(ask, 0, description="second")
    assert (status, "have version 1, and not 0" in problem["detail"]) == (409, True)
    assert put(ask, 1, description="second")[1]["version"] == 2


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"gates": {}}, "settings.gates"),
        ({"gate": {"margin": 1}}, "settings.gate.margin"),
        ({"gate": {"metric_margin": 2}}, "settings.gate.metric_margin"),
        ({"gate": {"metric_margin": "0.1"}}, "settings.gate.metric_margin"),
        ({"approvals": {"Archived": 1}}, "settings.approvals"),
        ({"approvals": {"Production": 6}}, "settings.approvals.Production"),
        ({"approvals": {"Production": True}}, "settings.approvals.Production"),
        ({"drift": {"warning": 0.21}}, "settings.drift.warning"),
        ({"drift": {"alert": 0.05}}, "settings.drift.warning"),
        ({"drift": {"minimum_samples": 0}}, "settings.drift.minimum_samples"),
        ({"retrain": {"stage": "Archived"}}, "settings.retrain.stage"),
        ({"labels": {"min_coverage": 2}}, "settings.labels.min_coverage"),
        ({"rollout": {}}, "settings.rollout.steps"),
        ({"rollout": {"steps": [{"weight": 101, "minutes": 5}]}}, "settings.rollout.steps.0.weight"),
        ({"objective": {}}, "settings.objective.name"),
        ({"owners": [""]}, "settings.owners.0"),
        ({"tags": {"": "b"}}, "settings.tags"),
    ],
)
def test_settings_that_are_not_valid_are_refused_by_name(ask: Ask, settings: dict[str, Any], field: str) -> None:
    status, problem = put(ask, 0, **settings)
    assert status == 422
    assert problem["errors"][0]["field"].startswith(field), problem
    assert ask("GET", f"/models/{MODEL}/settings")[1]["version"] == 0


def test_a_model_that_is_not_registered_has_no_settings(ask: Ask) -> None:
    assert ask("GET", "/models/other/settings")[0] == 404
    assert ask("PUT", "/models/other/settings", {"expected_version": 0, "settings": {}, "reason": "x"})[0] == 404


def test_a_model_in_the_bin_says_until_when_it_can_be_restored(ask: Ask, history: ModelHistory) -> None:
    entry = BinEntry(BinKind.MODEL, "binned", "x", "ann", versions=(1,))
    history.bin.claim(entry)
    Bin(history).put_in(entry)
    for method, route, body in (
        ("GET", "/models/binned", None),
        ("GET", "/models/binned/settings", None),
        ("PUT", "/models/binned/settings", {"expected_version": 0, "settings": {}, "reason": "x"}),
    ):
        status, problem = ask(method, route, body)
        assert (status, problem["code"]) == (410, "gone")
        assert "restore it with POST /models/binned/restore" in problem["detail"]
    assert ask("GET", "/models/binned/history", verify="true")[0] == 404, "it was never moved"


def promoted(history: ModelHistory) -> Transition:
    made = Transition("tr_1", MODEL, 1, Stage.PRODUCTION, "ann", actor_owner="ann")
    history.transitions.create(made)
    history.transitions.finish(made, TransitionStatus.SUCCEEDED)
    made = history.transitions.get(MODEL, "tr_1")
    history.ended(made)
    history.transitions.close(made)
    return made


def test_the_history_can_be_verified(ask: Ask, history: ModelHistory) -> None:
    promoted(history)
    assert ask("GET", f"/models/{MODEL}/history")[1]["verification"] is None
    head = history.governance.head(MODEL)
    assert head is not None
    verification = ask("GET", f"/models/{MODEL}/history", verify="true")[1]["verification"]
    assert verification == {"valid": True, "problem": None, "entries": 2, "sha256": head.sha256}
    history.transitions.note(history.transitions.get(MODEL, "tr_1"), sha256="f" * 64)
    verification = ask("GET", f"/models/{MODEL}/history", verify="true")[1]["verification"]
    assert (verification["valid"], verification["problem"]) == (False, "the transition tr_1 differs from entry 2")


class Tracking:
    def version(self, name: str, version: int) -> Version:
        return Version(name, version, "run", "", {"dataset_digest": "d1"}, "Production", "")

    def run(self, run_id: str) -> dict[str, Any]:
        tags = {"mlops.code": "c1", "mlflow.user": "ann"}
        return {"tags": tags, "params": {"depth": "3"}, "metrics": {"accuracy": 0.5}}


def test_one_document_has_what_a_transition_was_decided_by(history: ModelHistory) -> None:
    import hashlib

    made = promoted(history)
    tracking: Any = Tracking()
    document = PromotionExports(tracking, history).document(made)
    assert document.run is not None
    assert (document.run.dataset_digest, document.run.code, document.run.params) == (
        "d1",
        {"mlops.code": "c1"},
        {"depth": "3"},
    )
    (entry,) = document.entries
    assert hashlib.sha256(entry.text.encode()).hexdigest() == entry.sha256
    assert json.loads(entry.text)["detail"]["transition_id"] == "tr_1"
    assert document.head is not None
    assert (document.head.sha256, document.verification.valid) == (entry.sha256, True)


def test_an_entry_that_is_not_json_is_said_in_the_document(history: ModelHistory) -> None:
    made = promoted(history)
    rows = history.governance._table._table
    item = rows.get_item(Key={"part": MODEL, "item": "entry#000000002"})["Item"]
    rows.put_item(Item={**item, "text": "{"})
    tracking: Any = Tracking()
    document = PromotionExports(tracking, history).document(made)
    assert (document.verification.valid, document.verification.problem) == (False, "entry 2 is not JSON")
    assert document.entries == []


def test_the_heads_are_written_once_a_day(history: ModelHistory) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="artifacts")
    promoted(history)
    (key,) = HistoryDigests(history.governance, "artifacts").look()
    head = history.governance.head(MODEL)
    assert head is not None
    written = json.loads(s3.get_object(Bucket="artifacts", Key=key)["Body"].read())
    assert key == f"{PREFIX}{written['day']}.json"
    assert written["heads"] == {MODEL: {"seq": 2, "sha256": head.sha256}}
    again = HistoryDigests(history.governance, "artifacts")
    assert (again.look(), again.look()) == ([], []), "another environment of the function, on the same day"
