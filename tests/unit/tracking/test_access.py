"""What a training job may ask of the tracking server, against MLflow's own application and its router."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.local.settings import ROOT
from tracking.access import ALLOWED, CODE_ALLOWED, is_role

ROLE = "stack-TrainerRole-1A"
CODE_ROLE, NOTEBOOK_ROLE = "stack-CodeRole-2B", "notebooks"
NOTEBOOK = f"arn:aws:sts::111122223333:assumed-role/{NOTEBOOK_ROLE}/ana"
CODE = f"arn:aws:sts::111122223333:assumed-role/{CODE_ROLE}/1c3d"
TRAINER = f"arn:aws:sts::111122223333:assumed-role/{ROLE}/0f2a"
PROMOTION = "arn:aws:sts::111122223333:assumed-role/stack-PromotionFunctionRole-9Z/promotion"
API = "/api/2.0/mlflow/"
Ask = Callable[..., "Answer"]


@dataclass(frozen=True)
class Answer:
    status: int
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Ask MLflow as API Gateway does, as `caller`. A path goes as it is: `event.path` is decoded once on the way."""
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("mlflow_server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path_factory.mktemp("mlflow"),
        env={
            "PATH": "",
            "TRAINER_ROLE": ROLE,
            "CODE_ROLES": f"{CODE_ROLE},{NOTEBOOK_ROLE}",
            "HOME": str(tmp_path_factory.mktemp("home")),
            "PYTHONPATH": f"{ROOT / 'functions/tracking'}:{ROOT / 'layers/core/python'}",
        },
    )

    def ask(method: str, path: str, body: Any = None, *, caller: str = TRAINER, **query: str) -> Answer:
        headers = {"Host": "localhost", "Content-Type": "application/json"}
        event = {
            "resource": "/{proxy+}",
            "path": path if path.startswith("/") else API + path,
            "httpMethod": method,
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()},
            "requestContext": {"stage": "mlflow", "identity": {"sourceIp": "192.0.2.1", "userArn": caller}},
            "body": body if body is None or isinstance(body, str) else json.dumps(body),
            "isBase64Encoded": False,
        }
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(event) + "\n")
        server.stdin.flush()
        return Answer(**json.loads(server.stdout.readline()))

    yield ask
    server.kill()
    server.wait()


@dataclass(frozen=True)
class Registered:
    """What a training job has made, and an operator has put into Production."""

    experiment: str
    run: str
    logged: str


@pytest.fixture(scope="module")
def registered(ask: Ask) -> Registered:
    """The whole way of a training job, each step with the trainer's role."""

    def done(method: str, path: str, body: Any = None, **query: str) -> Any:
        answer = ask(method, path, body, **query)
        assert answer.status == 200, (method, path, answer.body)
        return answer.json

    assert ask("GET", "experiments/get-by-name", experiment_name="e").status == 404
    experiment = done("POST", "experiments/create", {"name": "e", "tags": []})["experiment_id"]
    done("GET", "experiments/get-by-name", experiment_name="e")
    run = done("POST", "runs/create", {"experiment_id": experiment, "run_name": "r"})["run"]["info"]["run_id"]
    done("POST", "runs/search", {"experiment_ids": [experiment]})
    metric = {"key": "accuracy", "value": 0.9, "timestamp": 1, "step": 0}
    done("POST", "runs/log-batch", {"run_id": run, "metrics": [metric], "tags": [{"key": "t", "value": "1"}]})
    done("GET", "metrics/get-history", run_id=run, metric_key="accuracy")
    dataset = {"name": "d", "digest": "1", "source_type": "mlops", "source": "s"}
    done("POST", "runs/log-inputs", {"run_id": run, "datasets": [{"dataset": dataset, "tags": []}]})
    model = {"experiment_id": experiment, "name": "model", "source_run_id": run}
    logged = done("POST", "logged-models", model)["model"]["info"]["model_id"]
    done("GET", f"logged-models/{logged}")
    done("PATCH", f"logged-models/{logged}", {"model_id": logged, "status": "LOGGED_MODEL_READY"})
    done("POST", "runs/outputs", {"run_id": run, "models": [{"model_id": logged, "step": 0}]})
    done("POST", "runs/set-tag", {"run_id": run, "key": "mlops.model_uri", "value": f"models:/{logged}"})
    done("POST", "registered-models/create", {"name": "m"})
    for _ in range(2):
        version = {"name": "m", "source": f"models:/{logged}", "run_id": run, "model_id": logged, "tags": []}
        done("POST", "model-versions/create", version)
    done("GET", "model-versions/search", filter="name = 'm'")
    done("POST", "runs/update", {"run_id": run, "run_uuid": run, "status": "FINISHED", "end_time": 2})
    done("GET", "runs/get", run_id=run)
    alias = {"name": "m", "alias": "production", "version": "1"}
    assert ask("POST", "registered-models/alias", alias, caller=PROMOTION).status == 200
    return Registered(experiment, run, logged)


ALIAS = {"name": "m", "alias": "production", "version": "2"}
RENAME = {"name": "m", "new_name": "mine"}

ATTACKS: list[tuple[str, str, Any]] = [
    # Which version serves
    ("POST", "registered-models/alias", ALIAS),
    ("DELETE", "registered-models/alias", {"name": "m", "alias": "production"}),
    ("POST", "model-versions/transition-stage", {"name": "m", "version": "2", "stage": "Production"}),
    # Renaming, deleting, changing what was admitted
    ("POST", "registered-models/rename", RENAME),
    ("PATCH", "registered-models/update", {"name": "m", "description": "mine"}),
    ("DELETE", "registered-models/delete", {"name": "m"}),
    ("POST", "registered-models/set-tag", {"name": "m", "key": "k", "value": "v"}),
    ("DELETE", "model-versions/delete", {"name": "m", "version": "1"}),
    ("PATCH", "model-versions/update", {"name": "m", "version": "1", "description": "mine"}),
    ("POST", "model-versions/set-tag", {"name": "m", "version": "1", "key": "sha256", "value": "0"}),
    ("DELETE", "model-versions/delete-tag", {"name": "m", "version": "1", "key": "sha256"}),
    ("POST", "runs/delete", {"run_id": "{run}"}),
    ("POST", "runs/delete-tag", {"run_id": "{run}", "key": "t"}),
    ("POST", "experiments/delete", {"experiment_id": "{experiment}"}),
    ("POST", "experiments/update", {"experiment_id": "{experiment}", "new_name": "mine"}),
    ("POST", "experiments/set-experiment-tag", {"experiment_id": "{experiment}", "key": "k", "value": "v"}),
    ("DELETE", "logged-models/{logged}", None),
    ("PATCH", "logged-models/{logged}/tags", {"tags": [{"key": "k", "value": "v"}]}),
    ("DELETE", "logged-models/{logged}/tags/k", None),
    # Other spellings of a path
    ("POST", "registered-models/%61lias", ALIAS),
    ("POST", "registered-models/%2561lias", ALIAS),
    ("POST", "registered-models%2Falias", ALIAS),
    ("POST", "registered-models//alias", ALIAS),
    ("POST", "/api/2.0//mlflow/registered-models/alias", ALIAS),
    ("POST", "//api/2.0/mlflow/registered-models/alias", ALIAS),
    ("POST", "runs/../registered-models/alias", ALIAS),
    ("POST", "runs/create/../../registered-models/alias", ALIAS),
    ("POST", "runs/%2e%2e/registered-models/alias", ALIAS),
    ("POST", "./registered-models/alias", ALIAS),
    ("POST", "registered-models/alias/", ALIAS),
    ("POST", "registered-models/alias%0a", ALIAS),
    ("POST", "registered-models/alias%00", ALIAS),
    ("POST", "registered-models/alias;x", ALIAS),
    ("POST", "registered-models/alias?x=runs/create", ALIAS),
    ("POST", "Registered-Models/Alias", ALIAS),
    ("post", "registered-models/alias", ALIAS),
    ("PATCH", "logged-models/m-00000000000000000000000000000000/../../registered-models/update", {"name": "m"}),
    ("PATCH", "logged-models/x", {"status": "LOGGED_MODEL_READY"}),
    # Other ways to the same
    ("POST", "/ajax-api/2.0/mlflow/registered-models/alias", ALIAS),
    ("POST", "/ajax-api/2.0/mlflow/runs/create", {"experiment_id": "{experiment}"}),
    ("POST", "/ajax-api/2.0/mlflow/registered-models/rename", RENAME),
    ("POST", "/ajax-api/3.0/mlflow/registered-models/alias", ALIAS),
    ("POST", "/api/3.0/mlflow/registered-models/alias", ALIAS),
    ("POST", "/api/3.0/mlflow/runs/create", {"experiment_id": "{experiment}"}),
    ("POST", "/api/2.0/preview/mlflow/runs/delete", {"run_id": "{run}"}),
    ("POST", "/graphql", {"query": '{mlflowGetRun(input: {runId: "x"}) {run {info {runId}}}}'}),
    ("POST", "/ajax-api/2.0/mlflow/upload-artifact", None),
    ("GET", "/get-artifact", None),
    ("GET", "/model-versions/get-artifact", None),
    ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/model.onnx", "x"),
    ("GET", "/api/3.0/mlflow/server-info", None),
    ("POST", "/api/3.0/mlflow/jobs/", {}),
    ("POST", "webhooks", {}),
    ("HEAD", "runs/get", None),
    ("PUT", "runs/create", {}),
    ("GET", "/", None),
    # Fields that are not a job's to set
    ("POST", "experiments/create", {"name": "x", "artifact_location": "s3://bucket/serving"}),
    ("POST", "experiments/create", {"name": "x", "artifactLocation": "s3://bucket/serving"}),
    ("POST", "experiments/create", {"name": "x", "artifact_location": ""}),
    ("POST", "experiments/create", json.dumps(json.dumps({"name": "x", "artifact_location": "file:///etc"}))),
    ("POST", "experiments/create", [{"name": "x", "artifact_location": "file:///etc"}]),
    ("POST", "experiments/create", "not json"),
    ("POST", "runs/update", {"run_id": "{run}", "run_name": "mine"}),
    ("POST", "runs/update", {"run_id": "{run}", "runName": "mine"}),
]


def state(ask: Ask, registered: Registered) -> Any:
    """All that an attack would change."""
    return [
        ask("GET", "registered-models/get", caller=PROMOTION, name="m").json["registered_model"],
        ask("GET", "runs/get", caller=PROMOTION, run_id=registered.run).json,
        ask("POST", "experiments/search", {"max_results": 100, "view_type": "ALL"}, caller=PROMOTION).json,
        ask("GET", f"logged-models/{registered.logged}", caller=PROMOTION).json,
        ask("GET", "model-versions/search", caller=PROMOTION).json,
    ]


@pytest.mark.parametrize(("method", "path", "body"), ATTACKS, ids=lambda each: str(each)[:60])
def test_an_attack_is_refused_and_changes_nothing(
    ask: Ask, registered: Registered, method: str, path: str, body: Any
) -> None:
    before = state(ask, registered)
    answer = attack(ask, registered, method, path, body, TRAINER)
    assert answer.status == 403, answer.body
    assert answer.json["error_code"] == "PERMISSION_DENIED"
    assert answer.json["message"].startswith("Jobs and notebooks ")
    assert state(ask, registered) == before


@pytest.mark.parametrize("caller", [CODE, NOTEBOOK])
def test_peoples_own_code_is_refused_the_same_attacks(ask: Ask, registered: Registered, caller: str) -> None:
    before = state(ask, registered)
    for method, path, body in ATTACKS:
        if (method, path) in OF_A_CLIENT:
            continue
        answer = attack(ask, registered, method, path, body, caller)
        assert answer.status == 403, (method, path, answer.body)
    assert state(ask, registered) == before


def test_peoples_own_code_logs_single_values_and_a_trainer_does_not(ask: Ask, registered: Registered) -> None:
    metric = {"run_id": registered.run, "key": "loss", "value": 0.5, "timestamp": 1, "step": 1}
    assert ask("POST", "runs/log-metric", metric, caller=CODE).status == 200
    assert ask("POST", "runs/log-metric", metric).status == 403
    tags = {"model_id": registered.logged, "tags": [{"key": "k", "value": "v"}]}
    assert ask("PATCH", f"logged-models/{registered.logged}/tags", tags, caller=CODE).status == 200


OF_A_CLIENT = {("POST", "runs/delete-tag"), ("PATCH", "logged-models/{logged}/tags")}
"""What MLflow's client asks for a script, and a training job does not need."""


def attack(ask: Ask, registered: Registered, method: str, path: str, body: Any, caller: str) -> Answer:
    """Send an attack as a caller, with the names of what is there."""

    def filled(text: str) -> str:
        for name in ("run", "logged", "experiment"):
            text = text.replace("{" + name + "}", getattr(registered, name))
        return text

    given = body if body is None or isinstance(body, str) else json.loads(filled(json.dumps(body)))
    return ask(method, filled(path), given, caller=caller)


def test_what_is_refused_a_trainer_others_may_do(ask: Ask, registered: Registered) -> None:
    """So the attacks are real, and the limits are the trainer's alone."""
    for path in (
        "registered-models/alias",
        "registered-models/%61lias",
        "/ajax-api/2.0/mlflow/registered-models/alias",
    ):
        for version in ("2", "1"):
            assert ask("POST", path, {**ALIAS, "version": version}, caller=PROMOTION).status == 200
            found = ask("GET", "registered-models/get", caller=PROMOTION, name="m").json["registered_model"]
            assert [each["version"] for each in found["aliases"]] == [version]
    located = {"name": "located", "artifact_location": "s3://elsewhere/x"}
    operator = "arn:aws:iam::111122223333:user/ann"
    assert ask("POST", "experiments/create", located, caller=operator).status == 200
    assert ask("POST", "runs/update", {"run_id": registered.run, "run_name": "r2"}, caller=operator).status == 200
    assert ask("GET", "/", caller=operator).status != 403


def test_every_path_on_the_list_is_one_that_mlflow_serves(ask: Ask, registered: Registered) -> None:
    """The fixture has taken each of them; a path that MLflow dropped would stay on the list unseen."""
    for method, path in sorted(ALLOWED | CODE_ALLOWED):
        answer = ask(method, path.replace("{model_id}", registered.logged), {}, caller=PROMOTION)
        assert answer.status in (200, 400, 404), (method, path, answer.status)
        assert "<title>404" not in answer.body, (method, path)


@pytest.mark.parametrize(
    ("arn", "is_the_role"),
    [
        (TRAINER, True),
        (f"arn:aws-cn:sts::1:assumed-role/{ROLE}/s", True),
        (f"arn:aws:sts::1:assumed-role/{ROLE}2/s", False),
        (f"arn:aws:sts::1:assumed-role/{ROLE.lower()}/s", False),
        (f"arn:aws:sts::1:assumed-role/other/{ROLE}", False),
        (f"arn:aws:iam::1:user/{ROLE}", False),
        ("", False),
    ],
)
def test_the_role_is_told_by_its_name(arn: str, is_the_role: bool) -> None:
    assert is_role(arn, ROLE) is is_the_role
