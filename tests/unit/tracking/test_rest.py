"""The start of the tracking server: what waits until somebody asks for it, and that nobody notices."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local.settings import ROOT

WAITING = {
    "aiohttp",
    "mlflow.assistant",
    "mlflow.metrics",
    "mlflow.server.assistant",
    "mlflow.server.fastapi_app",
    "mlflow.server.gateway_api",
    "mlflow.server.job_api",
    "mlflow.server.mcp_server_api",
    "mlflow.server.otel_api",
    "graphene",
}
"""What the start must not import, nor what records runs and registers versions."""

STORE = """
import asyncio, gc, json, sys, types
store = types.ModuleType("tracking.store")
store.store_uri = lambda: "sqlite:///mlflow.db"
sys.modules["tracking.store"] = store

def event(method, path, body=None, **headers):
    headers = {"Host": "localhost", "Content-Type": "application/json"} | headers
    return {
        "resource": "/{proxy+}", "path": path, "httpMethod": method, "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": {"stage": "mlflow", "identity": {"sourceIp": "192.0.2.1"}},
        "body": json.dumps(body) if body is not None else None, "isBase64Encoded": False,
    }
"""
"""With it, MLflow's database is a file of SQLite in the current folder."""

START = """
API = "/api/2.0/mlflow/"
from tracking import app
told = {"start": sorted(sys.modules), "collects": gc.isenabled(), "statuses": []}

def ask(method, path, body=None):
    answer = app.handler(event(method, path, body), None)
    told["statuses"].append(answer["statusCode"])
    return answer["body"]

experiment = json.loads(ask("POST", API + "experiments/create", {"name": "e"}))["experiment_id"]
run = json.loads(ask("POST", API + "runs/create", {"experiment_id": experiment, "start_time": 1}))["run"]["info"]
metric = {"key": "accuracy", "value": 0.5, "timestamp": 1, "step": 0}
ask("POST", API + "runs/log-batch", {"run_id": run["run_id"], "metrics": [metric]})
ask("POST", API + "registered-models/create", {"name": "m"})
ask("POST", API + "model-versions/create", {"name": "m", "source": run["artifact_uri"], "run_id": run["run_id"]})
ask("POST", API + "registered-models/alias", {"name": "m", "alias": "production", "version": "1"})
told["rest"] = sorted(sys.modules)
# This one looks for MLflow's own login, which imports the whole server.
ask("POST", API + "runs/search", {"experiment_ids": [experiment], "filter": "metrics.accuracy > 0.4"})
told["page"] = ask("GET", "/")[:200].lower()
told["server_info"] = ask("GET", "/ajax-api/3.0/mlflow/server-info")
told["whole"] = sorted(sys.modules)
print(json.dumps(told))
"""

ALIKE = """
from tracking import app
from mangum import Mangum
from mlflow.server import app as flask
from tracking.rest import REST, rest_first
from mlflow.server.fastapi_app import app as whole
from starlette.routing import Mount

def native(routes, prefix=""):
    for route in routes:
        if hasattr(route, "original_router"):
            yield from native(route.original_router.routes, prefix + route.include_context.prefix)
        elif not isinstance(route, Mount):
            yield prefix + route.path

API = "/api/2.0/mlflow/"
requests = [
    event("GET", "/version"),
    event("POST", API + "experiments/create", {"name": "e"}, Origin="https://other.example"),
    event("POST", API + "experiments/create", {"name": "e"}, Origin="http://localhost:3000", Host="evil.example"),
    event("GET", API + "experiments/get", Origin="http://localhost:3000"),
    event("OPTIONS", API + "runs/search", Origin="http://localhost:3000", **{"Access-Control-Request-Method": "POST"}),
    event("POST", API + "runs/search", {"experiment_ids": ["0"]}),
    event("GET", API + "nothing"),
    event("DELETE", API + "runs/search"),
]

def answer(application, asked):
    asked["headers"]["content-length"] = str(len(asked["body"] or ""))
    asked["multiValueHeaders"] = None
    given = Mangum(application, lifespan="off")(asked, None)
    headers = {**given["headers"], **{name: ", ".join(each) for name, each in given["multiValueHeaders"].items()}}
    return {"status": given["statusCode"], "body": given["body"], "headers": headers}

print(json.dumps({
    "native": sorted(set(native(whole.routes))),
    "rest": REST,
    "flask": sorted({rule.rule for rule in flask.url_map.iter_rules()}),
    "direct": [answer(rest_first, each) for each in requests],
    "whole": [answer(whole, each) for each in requests],
}))
"""

TOGETHER = """
from tracking import rest

async def status(path):
    sent = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        sent.append(message)
    headers = [(b"host", b"localhost")]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b"", "root_path": "",
             "http_version": "1.1", "scheme": "http", "raw_path": path.encode(), "asgi": {"version": "3.0"}}
    await rest.rest_first(scope, receive, send)
    return sent[0]["status"]

async def main():
    paths = ["/health", "/", "/version", "/static-files/index.html"] * 4
    return await asyncio.gather(*map(status, paths))

print(json.dumps(asyncio.run(main())))
"""


def fresh(script: str, folder: Path) -> Any:
    """What a script prints in a process of its own, in which the tracking server has a new database."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STORE + script],
        cwd=folder,
        env={
            "ARTIFACT_BUCKET": "artifacts",
            "AWS_DEFAULT_REGION": "us-east-1",
            "TRAINER_ROLE": "trainer",
            "MLFLOW_SERVER_ALLOWED_HOSTS": "localhost",
            "HOME": str(folder),
            "PATH": "",
            "PYTHONPATH": f"{ROOT / 'functions/tracking'}:{ROOT / 'layers/core/python'}",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def waiting(loaded: list[str]) -> set[str]:
    return {name for name in WAITING if any(each == name or each.startswith(f"{name}.") for each in loaded)}


@pytest.mark.slow
def test_the_start_imports_nothing_that_only_the_rest_of_mlflow_needs(tmp_path: Path) -> None:
    told = fresh(START, tmp_path)
    assert waiting(told["start"]) == set()
    assert told["collects"], "garbage would pile up"
    assert told["statuses"] == [200] * len(told["statuses"])
    assert waiting(told["rest"]) == set()
    assert "<html" in told["page"]
    assert told["server_info"].startswith("{")
    assert {"mlflow.server.fastapi_app", "mlflow.server.gateway_api", "aiohttp"} <= waiting(told["whole"])


@pytest.mark.slow
def test_the_rest_api_answers_as_the_whole_server_does(tmp_path: Path) -> None:
    told = fresh(ALIKE, tmp_path)
    rest = tuple(told["rest"])
    assert [path for path in told["native"] if path.startswith(rest)] == []
    assert "/ajax-api/3.0/mlflow/server-info" in told["native"]
    assert sum(path.startswith(rest) for path in told["flask"]) > 50
    direct, whole = told["direct"], told["whole"]
    assert [each["status"] for each in direct][:3] == [200, 403, 403]
    # Except of OPTIONS, whose answer Flask gives without a body.
    assert [(each["status"], each["body"]) for each in direct if each["status"] != 204] == [
        (each["status"], each["body"]) for each, one in zip(whole, direct, strict=True) if one["status"] != 204
    ]
    for each, other in zip(direct, whole, strict=True):
        assert each["headers"]["x-content-type-options"] == "nosniff"
        assert each["headers"]["x-frame-options"] == "SAMEORIGIN"
        if each["status"] < 403:
            assert each["headers"].get("access-control-allow-origin") == other["headers"].get(
                "access-control-allow-origin"
            )


@pytest.mark.slow
def test_many_first_requests_at_once_are_all_answered(tmp_path: Path) -> None:
    assert fresh(TOGETHER, tmp_path) == [200] * 16
