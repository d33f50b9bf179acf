"""What the command line makes of the API's messages: commands instead of routes, an exit code, and one line."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.settings import ROOT
from mlops.domain.errors import NoModelInStage, NotFound
from mlops_client.cli.speech import in_commands
from tests.unit.client.test_command import run
from tests.unit.client.test_sdk import Server

ROUTE = re.compile(r"\b(?:GET|POST|PUT|DELETE) /\S*")
NOT_IN_ERRORS = (
    *("layers/core/python/mlops/api/schemas", "layers/core/python/mlops/domain/training_request.py"),
    "layers/core/python/mlops/aws/approval_notices.py",
)
"""Their texts describe fields in openapi.json, or are mails."""
WITHOUT_COMMAND = {"GET /cleanups,", "GET /metrics,"}


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a module that are no docstrings; what f-strings insert is `x`."""
    tree = ast.parse(path.read_text())
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    parts = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in node.values}
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | parts:
            yield node.value


def test_every_route_that_the_platform_names_in_a_message_has_a_command():
    found, left = set(), set()
    for folder in ("functions", "layers/core/python/mlops"):
        for path in (ROOT / folder).rglob("*.py"):
            if str(path.relative_to(ROOT)).startswith(NOT_IN_ERRORS):
                continue
            for text in texts(path):
                found |= set(ROUTE.findall(text))
                left |= set(ROUTE.findall(in_commands(text)))
    assert len(found) > 15
    assert left <= WITHOUT_COMMAND


def test_what_to_do_is_a_command_that_can_be_copied():
    assert in_commands(str(NoModelInStage("churn", "Staging"))) == (
        "No version of the model 'churn' is in Staging. "
        "Promote one: mlops promote VERSION --model churn --stage Staging"
    )
    assert (
        in_commands("There is no model 'a'; GET /models lists them") == "There is no model 'a'; mlops models lists them"
    )
    assert "GET" not in in_commands(str(NotFound.of_route("GET", "/models/a/b")))


def problem(status: int, detail: str, **more: Any) -> dict[str, Any]:
    return {"title": "t", "status": status, "detail": detail, "code": "c", "request_id": "r-1", **more}


@pytest.mark.parametrize(
    ("status", "detail", "code", "said"),
    [
        (400, "the body is not JSON", 2, "the body is not JSON (request r-1)"),
        (413, "too large", 2, "too large"),
        (422, "epochs: must be at least 1", 2, "epochs: must be at least 1"),
        (404, "There is no job 'job_000009'; GET /train/jobs lists them", 1, "; mlops jobs lists them"),
        (404, "There is no such route; GET /docs lists them", 1, "another version than this client (mlops doctor"),
        (409, "it has ended", 1, "it has ended"),
        (500, "Something went wrong", 1, "Something went wrong"),
        (
            403,
            "The x-api-key header is missing or its key is not valid; ask an operator for a key",
            3,
            "not valid, or not any more: sign in with another one (mlops login)",
        ),
    ],
)
def test_each_refusal_is_one_line_with_its_exit_code(server, status, detail, code, said):
    server.will(status, problem(status, detail), "application/problem+json")
    ran = run("cancel", "job_000009", MLOPS_API_URL=server.url, MLOPS_API_KEY="k", COLUMNS="40", NO_COLOR="1")
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (code, "", 1)
    assert said in ran.stderr


def test_an_answer_of_another_version_of_the_platform_says_so(server):
    server.will(200, {"jobs": [{"id": 1}], "total_count": 1})
    ran = run("jobs", MLOPS_API_URL=server.url, MLOPS_API_KEY="k")
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (4, "", 1)
    assert "may have different versions: mlops doctor shows both" in ran.stderr


def test_doctor_compares_the_versions_of_client_and_platform():
    from mlops_client.doctor import _versions
    from mlops_client.version import __version__

    assert _versions(__version__) == []
    (finding,) = _versions("9.4.1")
    assert (finding.state, finding.remedy) == ("warn", "install the client of the platform's version")
    assert "9.4.1" in finding.detail
    assert __version__ in finding.detail


@pytest.mark.parametrize("home", ["/proc", "/dev/null"])
def test_a_home_that_cannot_be_written_costs_no_command_but_login(server, home):
    """Root may write to any folder but those of the kernel."""
    writable = {"HOME": home, "MLOPS_CONFIG": "", "XDG_CONFIG_HOME": ""}
    server.will(200, {"jobs": [], "total_count": 0})
    listed = run("jobs", **writable, MLOPS_API_URL=server.url, MLOPS_API_KEY="k")
    assert (listed.returncode, listed.stderr) == (0, "no jobs; start one: mlops train --watch\n")
    server.will(200, {"status": "ok", "version": "0.1.0"})
    server.will(422, problem(422, "give image, inputs or row"))
    login = run("--key", "k", "login", server.url, **writable)
    assert (login.returncode, login.stderr.count("\n")) == (1, 1)
    assert "set MLOPS_CONFIG to a writable file" in login.stderr
    assert run("jobs", **writable).returncode == 3


def test_a_file_that_cannot_be_written_is_named_in_one_line(server, tmp_path):
    server.will(200, {"transition_id": "tr_1"})
    target = tmp_path / "none" / "export.json"
    ran = run("export", "tr_1", "-o", str(target), MLOPS_API_URL=server.url, MLOPS_API_KEY="k")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"error: {target}: No such file or directory\n"


def test_names_that_the_terminal_cannot_show_do_not_end_the_command(server):
    server.will(200, {"models": [{**MODEL, "name": "kündigung-☃"}], "total_count": 1})
    ran = run("models", MLOPS_API_URL=server.url, MLOPS_API_KEY="k", PYTHONIOENCODING="ascii")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[1].split("\t")[0] == "k?ndigung-?"


MODEL = {"name": "m", "latest_version": 1, "latest_stage": "Registered", "production_version": None, "versions": 1}


def test_a_reader_that_goes_away_is_no_error(server):
    server.will(200, {"models": [{**MODEL, "name": f"m{number}"} for number in range(100)], "total_count": 100})
    script = f'"{sys.executable}" -m mlops_client models --limit 100 | head -1; exit "${{PIPESTATUS[0]}}"'
    variables = {"MLOPS_API_URL": server.url, "MLOPS_API_KEY": "k", "PYTHONPATH": str(ROOT / "client")}
    ran = subprocess.run(["bash", "-c", script], env=variables, capture_output=True, text=True, check=False)
    assert ran.stdout.split("\t")[0] == "model"
    assert "Traceback" not in ran.stderr


def test_all_versions_of_a_model_are_shown_and_not_those_of_the_first_page(server):
    version = {"stage": "Registered", "run_id": None, "metrics": {}, "sha256": None}
    versions = [{**version, "version": n, "created_at": "2026-01-01T00:00:00Z"} for n in range(203, -1, -1)]
    model = {"name": "m", "production_version": None, "staging_version": None}
    for start in (0, 100, 200):
        cursor = "more" if start < 200 else None
        server.will(200, {**model, "versions": versions[start : start + 100], "next_cursor": cursor})
    ran = run("models", "m", "--limit", "300", MLOPS_API_URL=server.url, MLOPS_API_KEY="k")
    assert ran.stdout.count("\n") == 205
    assert [json.loads(line.split("\t")[0]) for line in ran.stdout.splitlines()[1:]] == [*range(203, -1, -1)]
    server.will(200, {**model, "versions": versions[:50], "next_cursor": "more"})
    ran = run("models", "m", MLOPS_API_URL=server.url, MLOPS_API_KEY="k")
    assert (ran.stdout.count("\n"), ran.stderr) == (51, "the first 50; use --limit to see more\n")


def contract_of(labels: list[Any]) -> dict[str, Any]:
    head = {"model_name": "wine", "model_version": 1, "model_stage": "Production", "labels": labels, "target": "label"}
    signature: dict[str, Any] = {"inputs": "[]", "outputs": "[]", "params": None}
    example: dict[str, Any] = {"request": {}, "curl": "curl", "python": ""}
    head |= {"sha256": "", "task": "classification", "objective": None}
    return head | {"signature": signature, "columns": None, "input": None, "example": example}


def test_all_classes_of_an_answer_have_their_names(server):
    answer = {"prediction": "Barolo", "model_name": "wine", "model_version": 1, "model_stage": "Production"}
    answer |= {"confidence": 0.7, "probabilities": [0.2, 0.7, 0.1]}
    here = {"MLOPS_API_URL": server.url, "MLOPS_API_KEY": "k"}
    server.will(200, answer)
    server.will(200, contract_of(["Grignolino", "Barolo", "Barbera"]))
    ran = run("predict", "--inputs", "1,2", **here)
    assert ran.returncode == 0, ran.stderr
    said = ran.stdout
    assert re.findall(r"^ *(\w+) .* (\d+\.\d)%$", said, re.M) == [
        ("Barolo", "70.0"),
        ("Barolo", "70.0"),
        ("Grignolino", "20.0"),
        ("Barbera", "10.0"),
    ]
    assert [path for _, path, _, _ in server.asked] == ["/predict", "/models/wine/contract?version=1"]
    server.will(200, answer)
    server.will(403, problem(403, "needs the role read"), "application/problem+json")
    assert "class 0" in run("predict", "--inputs", "1,2", **here).stdout, "a key that may only predict knows no more"
