"""Every route of the control plane, asked with every role, for a model of the key's and for another one.

What is behind the API is away: a request that is permitted gets another answer than 403.
"""

import importlib
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from fastapi.routing import APIRoute

from batch_predictions.following import BatchPredictions
from batch_predictions.settings import BatchPredictionSettings
from batch_predictions.starting import BatchPredictionStarts
from deletions.batch_files import BatchFileDeletions
from deletions.datasets import DatasetDeletions
from deletions.experiments import ExperimentDeletions
from deletions.predictions import PredictionDeletions
from drift.report import DriftReport
from drift.statistics import PredictionReport
from feedback.imports import ImportSettings, LabelImports
from feedback.report import PerformanceReport
from metrics.sources import Sources
from mlops.api.auth import AccessKeys
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.bin import Bin
from mlops.aws.decisions import Decisions
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.jobs_table import JobsTable
from mlops.aws.key_history import KeyHistory
from mlops.aws.label_imports_table import LabelImportsTable
from mlops.aws.label_intake import LabelIntake
from mlops.aws.model_history import ModelHistory
from mlops.aws.transitions_table import TransitionsTable
from mlops.aws.webhooks_table import WebhooksTable
from mlops.domain.access import RANK, Role
from mlops.domain.batch_prediction import BatchPrediction
from mlops.domain.bin import BinEntry, BinKind
from mlops.domain.feedback.label_import import LabelImport
from mlops.domain.job import Job, Sweep
from mlops.domain.stages import Stage
from mlops.domain.transition import Transition
from mlops.domain.webhooks.webhook import Webhook
from mlops.registry.runs import Runs
from mlops.registry.sql.catalogue import Catalogue
from mlops.removal.deletions import Deletions
from models.model_settings import ModelSettingsStore
from pushes.registration import Registrations
from rollout.rollout_requests import RolloutRequests
from sessions.one_time_tokens import OneTimeTokens
from sessions.personal_keys import PersonalKeys
from tests.support.away import Away
from tests.support.gateway import CONTEXT, api_event
from tests.support.tables import make_table
from tools.openapi import OPEN_ROUTES, ROUTED
from training.code_runs import CodeRuns
from training.submission import Submissions
from transitions.conversion_requests import ConversionRequests
from transitions.export import PromotionExports
from transitions.transition_requests import TransitionRequests
from webhooks.administration import Administration

ROLES = get_args(Role)
OWN, FOREIGN = "mine-1", "other-1"
IDS = {OWN: "000001", FOREIGN: "000002"}
SHA256 = "a" * 64
Route = tuple[str, str]

# The least role of each route, and what of it names a model or an experiment: `all` needs a key for all models, and
# `list` shows what the key is for.
TABLE: dict[Route, tuple[Role, str]] = {
    ("GET", "/me"): ("predict", "none"),
    ("DELETE", "/session"): ("predict", "none"),
    ("POST", "/session/tokens"): ("predict", "none"),
    ("POST", "/train"): ("train", "body"),
    ("POST", "/code"): ("train", "all"),
    ("POST", "/runs"): ("train", "all"),
    ("GET", "/train/status/{job_id}"): ("read", "path"),
    ("GET", "/train/jobs"): ("read", "list"),
    ("GET", "/train/jobs/{job_id}/logs"): ("read", "path"),
    ("DELETE", "/train/jobs/{job_id}"): ("train", "path"),
    ("POST", "/sweeps"): ("train", "body"),
    ("GET", "/sweeps"): ("read", "list"),
    ("GET", "/sweeps/{sweep_id}"): ("read", "path"),
    ("DELETE", "/sweeps/{sweep_id}"): ("train", "path"),
    ("GET", "/model-types"): ("read", "none"),
    ("POST", "/batch-predictions"): ("train", "body"),
    ("GET", "/batch-predictions"): ("read", "list"),
    ("GET", "/batch-predictions/{batch_id}"): ("read", "path"),
    ("DELETE", "/batch-predictions/{batch_id}"): ("train", "path"),
    ("GET", "/batch-predictions/{batch_id}/files"): ("read", "path"),
    ("DELETE", "/batch-predictions/{batch_id}/files"): ("admin", "path"),
    ("POST", "/batch-predictions/uploads"): ("train", "none"),
    ("GET", "/models/{name}/file"): ("read", "path"),
    ("GET", "/datasets"): ("read", "list"),
    ("DELETE", "/datasets/{digest}"): ("admin", "path"),
    ("GET", "/experiments"): ("read", "list"),
    ("GET", "/experiments/{experiment}"): ("read", "path"),
    ("GET", "/experiments/{experiment}/runs/{run_id}"): ("read", "path"),
    ("GET", "/experiments/{experiment}/runs/{run_id}/artifacts"): ("read", "path"),
    ("GET", "/experiments/{experiment}/runs/{run_id}/artifacts/content"): ("read", "path"),
    ("PATCH", "/experiments/{experiment}/runs/{run_id}"): ("train", "path"),
    ("GET", "/experiments/{experiment}/compare"): ("read", "path"),
    ("GET", "/keys/history"): ("admin", "all"),
    ("GET", "/models"): ("read", "list"),
    ("GET", "/models/{name}"): ("read", "path"),
    ("GET", "/models/{name}/history"): ("read", "path"),
    ("GET", "/models/{name}/settings"): ("read", "path"),
    ("PUT", "/models/{name}/settings"): ("admin", "path"),
    ("POST", "/models/transition"): ("train", "body"),  # if nobody else has to approve it, `approve`
    ("POST", "/models/transitions/{transition_id}/approve"): ("approve", "path"),
    ("POST", "/models/transitions/{transition_id}/reject"): ("approve", "path"),
    ("GET", "/models/transitions/{transition_id}/export"): ("read", "path"),
    ("POST", "/models/{name}/pushes"): ("train", "path"),
    ("POST", "/models/{name}/rollback"): ("approve", "path"),
    ("GET", "/models/transitions/{transition_id}"): ("read", "path"),
    ("POST", "/models/{name}/versions/{version}/conversion"): ("approve", "path"),
    ("GET", "/models/{name}/versions/{version}/conversion"): ("read", "path"),
    ("POST", "/models/{name}/rollouts"): ("approve", "path"),
    ("GET", "/models/{name}/rollouts"): ("read", "path"),
    ("GET", "/models/{name}/rollouts/{rollout_id}"): ("read", "path"),
    ("POST", "/models/{name}/rollouts/{rollout_id}/pause"): ("approve", "path"),
    ("POST", "/models/{name}/rollouts/{rollout_id}/resume"): ("approve", "path"),
    ("POST", "/models/{name}/rollouts/{rollout_id}/abort"): ("approve", "path"),
    ("POST", "/models/{name}/rollouts/{rollout_id}/complete"): ("approve", "path"),
    ("POST", "/models/{name}/rollouts/{rollout_id}/approve"): ("approve", "path"),
    ("POST", "/models/{name}/rollouts/{rollout_id}/reject"): ("approve", "path"),
    ("DELETE", "/models/{name}"): ("admin", "path"),
    ("POST", "/models/{name}/restore"): ("admin", "path"),
    ("DELETE", "/models/{name}/versions/{version}"): ("admin", "path"),
    ("POST", "/models/{name}/versions/{version}/restore"): ("admin", "path"),
    ("DELETE", "/experiments/{experiment}"): ("admin", "path"),
    ("POST", "/experiments/{experiment}/restore"): ("admin", "path"),
    ("DELETE", "/experiments/{experiment}/runs/{run_id}"): ("admin", "path"),
    ("POST", "/experiments/{experiment}/runs/{run_id}/restore"): ("admin", "path"),
    ("GET", "/bin"): ("read", "list"),
    ("GET", "/cleanups"): ("read", "all"),
    ("GET", "/drift/status"): ("read", "query"),
    ("GET", "/drift/columns"): ("read", "query"),
    ("GET", "/drift/history"): ("read", "query"),
    ("GET", "/drift/stats"): ("read", "query"),
    ("GET", "/drift/distribution"): ("read", "query"),
    ("POST", "/feedback"): ("feedback", "body"),
    ("POST", "/feedback/batch"): ("feedback", "body"),
    ("POST", "/feedback/imports"): ("feedback", "body"),
    ("GET", "/feedback/imports"): ("read", "list"),
    ("GET", "/feedback/imports/{import_id}"): ("read", "path"),
    ("POST", "/predictions/delete"): ("admin", "body"),
    ("GET", "/performance/status"): ("read", "query"),
    ("GET", "/performance/history"): ("read", "query"),
    ("GET", "/metrics"): ("read", "all"),
    ("POST", "/webhooks"): ("admin", "body"),
    ("GET", "/webhooks"): ("admin", "list"),
    ("GET", "/webhooks/{webhook_id}"): ("admin", "path"),
    ("DELETE", "/webhooks/{webhook_id}"): ("admin", "path"),
    ("POST", "/webhooks/{webhook_id}/test"): ("admin", "path"),
    ("POST", "/webhooks/{webhook_id}/secret"): ("admin", "path"),
}
BODIES: dict[str, dict[str, Any]] = {
    "/experiments/{experiment}/runs/{run_id}": {"note": "the best so far"},
    "/session/tokens": {"share": "c2hhcmU"},
    "/train": {"model_type": "mlp", "model_name": "{model}", "experiment_name": "{model}"},
    "/sweeps": {"model_type": "mlp", "num_runs": 2, "model_name": "{model}", "experiment_name": "{model}"},
    "/code": {"sha256": SHA256, "size": 1},
    "/runs": {"code": SHA256, "script": "train.py", "experiment_name": "{model}"},
    "/batch-predictions": {"model_name": "{model}", "input": "s3://bucket/a.csv", "output": "s3://bucket/scored/"},
    "/batch-predictions/uploads": {"name": "a.csv", "sha256": SHA256, "size": 1},
    "/models/{name}/settings": {"expected_version": 0, "settings": {}, "reason": "because"},
    "/models/{name}/pushes": {
        "source": {"stack": "https://elsewhere/v1", "version": 1, "run_id": "r"},
        "experiment_name": "{model}",
        "model": [{"path": "MLmodel", "sha256": SHA256, "size": 1}],
    },
    "/models/transition": {"model_name": "{model}", "version": 1, "stage": "Staging"},
    "/models/{name}/rollouts": {"version": 2, "steps": [{"weight": 5, "minutes": 30}]},
    "/feedback": {"model_name": "{model}", "id": "order-1", "label": "yes"},
    "/feedback/batch": {"model_name": "{model}", "labels": [{"id": "order-1", "label": "yes"}]},
    "/feedback/imports": {"model_name": "{model}", "input": "s3://bucket/datasets/a.csv"},
    "/predictions/delete": {"model_name": "{model}", "ids": ["order-1"], "reason": "because"},
    "/models/{name}/restore": {"reason": "because"},
    "/models/{name}/versions/{version}/restore": {},
    "/webhooks": {"url": "https://hooks.example.com/", "events": ["*"], "models": ["{model}"]},
}


class FakeCatalogue(Away):
    """Knows each experiment and model by its name, and lists none."""

    def experiment(self, name: str) -> dict[str, Any]:
        return {"experiment_id": 1, "name": name, "objective": None}

    def model(self, name: str) -> dict[str, Any]:
        return {"production_version": None, "staging_version": None}

    def experiments(self, *_: Any) -> tuple[list[Any], int, None]:
        return [], 0, None

    def models(self, *_: Any) -> tuple[list[Any], int, None]:
        return [], 0, None


class FakeExperiments(Away):
    """Knows each experiment by its name."""

    def experiment(self, name: str) -> dict[str, Any]:
        return {"experiment_id": "1", "name": name}


class FakeDatasets(Away):
    """Knows data sets by the numbers in IDS. Each was used in the experiment of this name."""

    def use(self, digest: str) -> Any:
        (name,) = [name for name, number in IDS.items() if number == digest]
        return SimpleNamespace(experiments=[name], versions=[])


class FakeRuns(Away):
    """Knows each experiment by its name."""

    def experiment_of(self, name_or_id: str) -> tuple[str, str]:
        return "1", name_or_id


class Batchless(Away):
    """Has each job, and each runs."""

    def describe(self, batch_job_ids: list[str]) -> list[dict[str, Any]]:
        return [{"jobId": batch_job_id, "status": "RUNNING"} for batch_job_id in batch_job_ids]


def batch_prediction(batch_id: str, model_name: str) -> BatchPrediction:
    request = {"input": "s3://bucket/a.csv", "output": "s3://bucket/scored/", "max_rejected": 0.01, "keep": []}
    return BatchPrediction(
        batch_id=batch_id,
        model_name=model_name,
        model_version=1,
        sha256=SHA256,
        shards=1,
        input_files=1,
        input_bytes=1,
        request=request,
        actor="nobody",
        request_id=None,
    )


@pytest.fixture
def keys(aws: None, monkeypatch: pytest.MonkeyPatch) -> AccessKeys:
    """A key of each role for all models, and one for those whose names begin with `mine`. All else is away."""
    monkeypatch.setenv("ACCESS_KEYS_TABLE", make_table("AccessKeysTable", "table-of-keys").name)
    monkeypatch.setenv("DEFAULT_MODEL_NAME", FOREIGN)
    jobs = JobsTable(DynamoTable(make_table("JobsTable", "jobs")))
    transitions = TransitionsTable(DynamoTable(make_table("TransitionsTable", "transitions")))
    batches = BatchPredictionsTable(DynamoTable(make_table("BatchPredictionsTable", "batches")))
    webhooks = WebhooksTable(DynamoTable(make_table("WebhooksTable", "webhooks")))
    away: Any = Away()
    administration = Administration(webhooks, away, away)
    following = BatchPredictions(BatchPredictionSettings("b"), batches, away, away, away)
    for adapter in (
        Submissions,
        CodeRuns,
        BatchPredictionStarts,
        TransitionRequests,
        ConversionRequests,
        RolloutRequests,
        Registrations,
    ):
        monkeypatch.setattr(adapter, "from_environment", Away)
    for adapter in (DriftReport, PredictionReport, Sources, LabelIntake, PerformanceReport):
        monkeypatch.setattr(adapter, "from_environment", Away)
    monkeypatch.setattr(JobsTable, "from_environment", lambda: jobs)
    monkeypatch.setattr(TransitionsTable, "from_environment", lambda: transitions)
    monkeypatch.setattr(BatchPredictions, "from_environment", lambda: following)
    for adapter in (ModelSettingsStore, PromotionExports, KeyHistory, Deletions, PredictionDeletions):
        monkeypatch.setattr(adapter, "from_environment", Away)
    governance = GovernanceTable(DynamoTable(make_table("GovernanceTable", "governance")))
    binned = Bin(ModelHistory(governance, transitions))
    monkeypatch.setattr(Bin, "from_environment", lambda: binned)
    decisions = Decisions(transitions, away, away)
    monkeypatch.setattr(Decisions, "from_environment", lambda: decisions)
    monkeypatch.setattr(Catalogue, "from_environment", FakeCatalogue)
    monkeypatch.setattr(ExperimentDeletions, "from_environment", FakeExperiments)
    monkeypatch.setattr(Runs, "from_environment", FakeRuns)
    monkeypatch.setattr(DatasetDeletions, "from_environment", FakeDatasets)
    monkeypatch.setattr("webhooks.administration._administration", lambda: administration)
    personal = PersonalKeys(away, away, "stack", away)
    monkeypatch.setattr("sessions.personal_keys._personal_keys", lambda: personal)
    monkeypatch.setattr("sessions.one_time_tokens._one_time_tokens", lambda: OneTimeTokens(away, away))
    imports = LabelImportsTable(DynamoTable(make_table("FeedbackTable", "feedback")))
    settings = ImportSettings("bucket", "queue", "definition")
    monkeypatch.setattr(LabelImports, "from_environment", lambda: LabelImports(settings, imports, away, Batchless()))
    monkeypatch.setattr(BatchFileDeletions, "from_environment", lambda: BatchFileDeletions(batches, away, away))
    for name, number in IDS.items():
        imports.create(
            LabelImport(f"import_{number:0>20}", name, "s3://bucket/a.csv", False, (), "nobody", batch_job_id="b")
        )
        binned.records.claim(BinEntry(BinKind.VERSION, name, "x", "nobody", version=1))
        jobs.create(Job(f"job_{number}", experiment_name=name, model_name=name, actor="nobody"))
        jobs.create(Sweep(f"sweep_{number}", experiment_name=name, model_name=name, actor="nobody"))
        transitions.create(Transition(f"tr_{number}", name, 1, Stage.STAGING, "nobody"))
        batches.create(batch_prediction(f"batch_{number:0>20}", name))
        webhooks.create(Webhook(f"wh_{number:0>20}", "hooks.example.com", ("*",), (name,), "nobody", "secret-1"))
    access = AccessKeys.from_environment()
    for role in ROLES:
        access.add(f"all-{role}", role, role)
        access.add(f"mine-{role}", role, role, models=("mine*",), owner="ann")
    return access


def routes() -> Iterator[tuple[Route, str]]:
    """Each route of the API that needs a key, and its function."""
    for function in ROUTED:
        for route in importlib.import_module(f"{function}.app").router.routes:
            assert isinstance(route, APIRoute)
            if route.include_in_schema:
                for method in route.methods:
                    if (method, route.path) not in OPEN_ROUTES:
                        yield (method, route.path), function


FUNCTIONS = dict(routes())


def ask(route: Route, key: str, model: str) -> tuple[int, dict[str, Any]]:
    """Ask a route about a model; returns the status and the body, or its text."""
    method, template = route
    number = IDS[model]
    path = template.format(
        name=model, experiment=model, job_id=f"job_{number}", sweep_id=f"sweep_{number}",
        batch_id=f"batch_{number:0>20}", transition_id=f"tr_{number}", run_id="r", version=1,
        webhook_id=f"wh_{number:0>20}", import_id=f"import_{number:0>20}", rollout_id=f"ro_{number:0>20}",
        digest=number,
    )  # fmt: skip
    body = BODIES.get(template, {}) if method in ("POST", "PUT", "PATCH") else None
    text = None if body is None else json.dumps(body).replace("{model}", model)
    query = {"model_name": model} if TABLE[route][1] == "query" else {}
    query |= {"reason": "because"} if method == "DELETE" and FUNCTIONS[route] == "deletions" else {}
    query |= {"runs": "a,b"} if template.endswith("/compare") else {}
    query |= {"path": "a.png"} if template.endswith("/content") else {}
    handler = importlib.import_module(f"{FUNCTIONS[route]}.app").handler
    answer = handler(api_event(method, path, text, query=query, key=key), CONTEXT)
    return answer["statusCode"], json.loads(answer["body"])


def test_the_table_has_every_route() -> None:
    assert TABLE.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize("route", TABLE, ids=" ".join)
def test_a_route_takes_the_roles_of_the_table_and_models_of_the_key(keys: AccessKeys, route: Route) -> None:
    least, named = TABLE[route]
    for role in ROLES:
        permitted = RANK[role] >= RANK[least]
        owner_only = role in ("train", "approve") and route[0] == "DELETE"  # it may cancel what it has started itself
        for model in (OWN, FOREIGN):
            status, answer = ask(route, f"all-{role}", model)
            assert status not in (404, 422, 500), answer
            if not permitted:
                assert status == 403, (role, answer)
                assert f"needs the role {least}" in answer["detail"] or "or admin" in answer["detail"]
            elif not owner_only:
                assert status != 403, (role, answer)
            status, answer = ask(route, f"mine-{role}", model)
            covered = named in ("none", "list") or (named != "all" and model == OWN)
            if not permitted or not covered:
                assert status == 403, (role, model, answer)
            elif not owner_only:
                assert status != 403, (role, model, answer)
            if permitted and not covered:
                assert "mine*" in answer["detail"], "it says for which models the key is"


def test_lists_have_what_the_key_is_for(keys: AccessKeys) -> None:
    for path, field, name in (("/train/jobs", "jobs", "experiment_name"), ("/sweeps", "sweeps", "model_name")):
        for key, models in (("all-read", {OWN, FOREIGN}), ("mine-read", {OWN})):
            status, answer = ask(("GET", path), key, OWN)
            assert status == 200
            assert {entry[name] for entry in answer[field]} == models
            assert answer["total_count"] == len(models)
    status, answer = ask(("GET", "/batch-predictions"), "mine-read", OWN)
    assert [entry["model_name"] for entry in answer["batch_predictions"]] == [OWN]
    status, answer = ask(("GET", "/bin"), "mine-read", OWN)
    assert [entry["name"] for entry in answer["entries"]] == [OWN]
    status, answer = ask(("GET", "/feedback/imports"), "mine-read", OWN)
    assert [entry["model_name"] for entry in answer["imports"]] == [OWN]


def test_me_says_what_the_key_may_do(keys: AccessKeys) -> None:
    keys.add("alice", "alice", "train", models=("mine*", "b"), owner="team")
    assert ask(("GET", "/me"), "alice", OWN) == (
        200,
        {
            "name": "alice",
            "owner": "team",
            "role": "train",
            "models": ["mine*", "b"],
            "until": None,
            "mlflow_url": None,
        },
    )


@pytest.mark.parametrize("route", [route for route in TABLE if route[0] == "GET"], ids=" ".join)
def test_a_personal_key_holds_until_its_end_and_nowhere_longer(keys: AccessKeys, route: Route) -> None:
    item = {"name": "ann", "owner": "ann", "role": "admin", "models": ["*"]}
    for key_id, until in (("holds", 4_000_000_000), ("ended", 1_000_000_000)):
        keys._table.put_item(Item={**item, "key_id": key_id, "until": until})
    assert ask(route, "holds", OWN)[0] not in (401, 403)
    status, answer = ask(route, "ended", OWN)
    assert (status, answer["code"]) == (401, "session_expired")
    if route[1] == "/me":
        assert ask(route, "holds", OWN)[1]["until"] == "2096-10-02T07:06:40.000Z"


def test_a_key_of_the_version_before_is_for_all_models_and_its_own_owner(keys: AccessKeys) -> None:
    keys._table.put_item(Item={"key_id": "old", "name": "bob", "role": "admin"})
    assert ask(("GET", "/me"), "old", OWN)[1] == {
        "name": "bob",
        "owner": "bob",
        "role": "admin",
        "models": ["*"],
        "until": None,
        "mlflow_url": None,
    }
    assert ask(("GET", "/models"), "old", OWN)[0] == 200


def test_a_key_without_a_role_and_one_of_a_later_role_may_nothing(keys: AccessKeys) -> None:
    keys._table.put_item(Item={"key_id": "later", "name": "bob", "role": "auditor"})
    assert ask(("GET", "/me"), "none", OWN)[0] == 403
    status, answer = ask(("GET", "/models"), "later", OWN)
    assert (status, "'auditor'" in answer["detail"]) == (403, True)
