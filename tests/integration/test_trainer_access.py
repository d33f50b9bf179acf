"""The local stack limits a training job's requests to MLflow by the tracking function's own code, as AWS does."""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from infra.local.guard.identity import TRAINER_TOKEN
from tests.integration.registry_world import World, make_world

JOB = {"Authorization": f"Bearer {TRAINER_TOKEN}"}


@pytest.fixture
def world(stack: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """A model with a version in Production and another one."""
    made = make_world(stack, monkeypatch, "trainer-access")
    first, _ = made.version(), made.version()
    made.move(first, "Production")
    return made


def send(stack: Any, method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]:
    request = Request(
        f"{stack.settings.tracking_url}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", **headers},
        method=method,
    )
    try:
        with urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def test_a_job_records_and_registers_and_moves_nothing_in_production(stack: Any, world: World) -> None:
    alias = {"name": world.model, "alias": "production", "version": "2"}
    tag = {"name": world.model, "version": "1", "key": "sha256", "value": "0" * 64}
    located = {"name": "elsewhere", "artifact_location": "s3://elsewhere/x"}
    for method, path, body in (
        ("POST", "/api/2.0/mlflow/registered-models/alias", alias),
        ("POST", "/api/2.0/mlflow/registered-models/%61lias", alias),
        ("POST", "/ajax-api/2.0/mlflow/registered-models/alias", alias),
        ("POST", "/api/2.0/mlflow//registered-models/alias", alias),
        ("POST", "/api/2.0/mlflow/model-versions/set-tag", tag),
        ("POST", "/api/2.0/mlflow/registered-models/rename", {"name": world.model, "new_name": "mine"}),
        ("POST", "/api/2.0/mlflow/experiments/create", located),
    ):
        status, answer = send(stack, method, path, body, JOB)
        assert (status, answer["error_code"]) == (403, "PERMISSION_DENIED"), path
    assert world.agrees()
    assert world.state()["aliases"] == {"production": 1}
    status, run = send(stack, "POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"}, JOB)
    assert status == 200
    status, _ = send(stack, "POST", "/api/2.0/mlflow/registered-models/alias", {**alias, "alias": "mine"}, {})
    assert status == 200, "the stack's own programs are not limited"
    world.tracking.delete_alias(world.model, "mine")
    assert run["run"]["info"]["status"] == "RUNNING"
