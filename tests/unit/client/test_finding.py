"""Runs by what people call them, conditions on them, their files, and their pages in the console."""

import base64
import json
import re
from typing import Any

import pytest

from mlops_client.cli import app, artifacts, opening
from mlops_client.cli.conditions import all_of
from mlops_client.errors import BadInput
from mlops_client.finding import find_runs
from mlops_client.models import RunRow
from mlops_client.records import decode
from tests.unit.client.test_sdk import client, server  # noqa: F401  (fixtures)

RUN = {"params": {"model_type": "mlp", "epochs": "10"}, "status": "finished", "started_at": None, "ended_at": None}
IDS = ["3f2a" + "0" * 28, "91bc" + "0" * 28]
RUNS = [
    {**RUN, "run_id": IDS[0], "run_name": "brave", "metrics": {"f1": 0.95, "my metric": 3.0}},
    {**RUN, "run_id": IDS[1], "run_name": "calm", "metrics": {"f1": 0.85}},
]
PAGE = {"experiment_id": "1", "name": "churn", "runs": RUNS, "total_count": 2}
JOB = {"job_id": "job_000001", "experiment_name": "churn", "status": "completed", "created_at": "2026-01-01T00:00:00Z"}
JOB |= {"progress": {"epoch": 1, "epochs": 1}, "run_id": IDS[1]}


@pytest.mark.parametrize("name", ["brave", "3f2a", IDS[0]])
def test_a_run_is_found_by_name_id_or_the_beginning_of_the_id(client, server, name):  # noqa: F811
    server.will(200, PAGE)
    assert find_runs(client, [name], "churn") == ("churn", [IDS[0]])


def test_a_job_leads_to_its_run_without_a_search(client, server):  # noqa: F811
    server.will(200, JOB)
    assert find_runs(client, ["job_000001"], None) == ("churn", [IDS[1]])
    assert len(server.asked) == 1


def test_a_job_without_a_run_and_an_unknown_run_are_said(client, server):  # noqa: F811
    server.will(200, {**JOB, "status": "pending", "run_id": None})
    with pytest.raises(BadInput, match="job_000001 has no run yet: it is pending"):
        find_runs(client, ["job_000001"], None)
    server.will(200, PAGE)
    with pytest.raises(BadInput, match="nobody: there is no such run; `mlops runs EXPERIMENT`"):
        find_runs(client, ["nobody"], "churn")


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        (["metrics.f1 > 0.9"], ["brave"]),
        (["metrics.f1<=0.95"], ["brave", "calm"]),
        (["metrics.`my metric` = 3"], ["brave"]),
        (["metrics.my metric != 3"], []),
        (["params.model_type=mlp", "metrics.f1 < 0.9"], ["calm"]),
        (["params.epochs >= 10"], ["brave", "calm"]),
        (["params.epochs = 10.0"], ["brave", "calm"]),
        (["params.none != a"], []),
    ],
)
def test_conditions_choose_runs(conditions, found):
    is_true = all_of(conditions)
    assert [run["run_name"] for run in RUNS if is_true(decode(RunRow, run))] == found


@pytest.mark.parametrize("wrong", ["f1 > 0.9", "metrics.f1", "metrics.f1 > high", "params.model_type > mlp", ""])
def test_what_is_no_condition_is_refused(wrong):
    with pytest.raises(BadInput, match="--where"):
        all_of([wrong])


def test_a_filter_reads_on_until_the_limit_is_reached(client, server):  # noqa: F811
    pages = [{**PAGE, "runs": RUNS * 50, "next_cursor": cursor} for cursor in ("a", "b", None)]
    for page in pages:
        server.will(200, page)
    found = client.runs("churn", limit=120, keep=all_of(["metrics.f1 > 0.9"]))
    assert (len(found), found.total_count) == (120, 150)
    server.will(200, pages[0])
    found = client.runs("churn", limit=20, status="finished", name="a", keep=all_of(["metrics.f1 > 0.9"]))
    assert (len(found), found.next_cursor) == (20, "a")
    assert "status=finished&name=a" in server.asked[-1][1]


def test_jobs_models_and_moves_are_filtered(client, server):  # noqa: F811
    server.will(200, {"jobs": [JOB, {**JOB, "experiment_name": "other"}], "total_count": 2})
    assert [job.experiment_name for job in client.jobs(experiment_name="churn")] == ["churn"]
    model = {"latest_version": 1, "latest_stage": None, "production_version": None, "versions": 1}
    server.will(200, {"models": [{**model, "name": "Churn"}, {**model, "name": "wine"}], "total_count": 2})
    assert [each.name for each in client.models(name="chu")] == ["Churn"]
    move = {"transition_id": "t", "model_name": "m", "status": "succeeded", "actor": "a", "created_at": "2026"}
    moves = [{**move, "version": n, "stage": stage} for n in (1, 2) for stage in ("Staging", "Production")]
    for chosen, left in (({"version": 2}, 2), ({"stage": "Staging"}, 2), ({"version": 1, "stage": "Staging"}, 1)):
        server.will(200, {"transitions": moves})
        assert len(client.history("m", **chosen)) == left


ONCE = {"token": "tok-en", "until": "2026-01-01T00:01:00.000Z"}


def invoke(monkeypatch: pytest.MonkeyPatch, client: Any, *arguments: str) -> Any:  # noqa: F811
    from typer.testing import CliRunner

    for module in (artifacts, opening):
        monkeypatch.setattr(module, "new_client", lambda: client)
    return CliRunner().invoke(app, list(arguments))


def test_files_of_a_run_are_listed_and_downloaded(monkeypatch, client, server, tmp_path):  # noqa: F811
    files = [
        {"path": "model_card.md", "size": 5, "url": f"{server.url}/card"},
        {"path": "model/model.onnx", "size": 4_200_000, "url": f"{server.url}/model"},
    ]
    for _ in range(2):
        server.will(200, JOB)
        server.will(200, {"artifacts": files})
    listed = invoke(monkeypatch, client, "artifacts", "job_000001", "model")
    assert listed.output == "path\tsize\nmodel_card.md\t5\nmodel/model.onnx\t4200000\n"
    assert server.asked[1][1] == f"/experiments/churn/runs/{IDS[1]}/artifacts?path=model"
    server.will(200, b"# A model", "text/markdown")
    server.will(200, b"onnx", "application/octet-stream")
    done = invoke(monkeypatch, client, "artifacts", "job_000001", "-o", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert done.output == f"2 files, 4.2 MB, in {tmp_path / 'out'}\n"
    assert (tmp_path / "out/model/model.onnx").read_bytes() == b"onnx"
    assert (tmp_path / "out/model_card.md").read_bytes() == b"# A model"
    assert "x-api-key" not in server.asked[-1][2], "the key does not leave for another address"
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("path", ["../outside", "a/../../outside", "/outside"])
def test_a_file_is_never_written_outside_of_the_folder(monkeypatch, client, server, tmp_path, path):  # noqa: F811
    server.will(200, JOB)
    server.will(200, {"artifacts": [{"path": path, "size": 1, "url": f"{server.url}/x"}]})
    done = invoke(monkeypatch, client, "artifacts", "job_000001", "-o", str(tmp_path / "out"))
    assert isinstance(done.exception, BadInput)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["console"], ""),
        (["model", "a b/c"], "#/models?model=a%20b%2Fc"),
        (["experiment", "churn & co"], "#/runs?experiment=churn%20%26%20co"),
        (["run", "job_000001"], f"#/runs?experiment=churn&run={IDS[1]}"),
        (["job", "job_000001"], "#/jobs?job=job_000001"),
    ],
)
def test_a_page_of_the_console_is_opened(monkeypatch, client, server, words, place):  # noqa: F811
    opened: list[str] = []
    monkeypatch.setattr("typer.launch", opened.append)
    if words[0] == "run":
        server.will(200, JOB)
    server.will(201, ONCE)
    said = invoke(monkeypatch, client, "open", *words)
    address = f"{server.url}/console{place}"
    start, pad = opened[0].split("once=tok-en.")
    assert said.exit_code == 0, said.output
    assert start == f"{address or ''}{'' if place else '#/'}{'&' if '?' in place else '?'}"
    assert key_from(server.asked[-1][3], pad) == client.transport.key
    assert said.output == f"{address}\n", "what is printed can be passed on"
    asked = len(server.asked)
    if words[0] == "run":
        server.will(200, JOB)
    assert invoke(monkeypatch, client, "open", *words, "--no-browser").output == f"{address}\n"
    assert (len(opened), len(server.asked)) == (1, asked + (words[0] == "run")), "no token is made"


def key_from(body: bytes, pad: str) -> str:
    """What the two halves of a key are together, one of a request to make a token and one of an address."""
    halves = [base64.urlsafe_b64decode(half + "=" * (-len(half) % 4)) for half in (json.loads(body)["share"], pad)]
    return bytes(a ^ b for a, b in zip(*halves, strict=True)).decode()


def test_the_console_is_opened_by_its_own_command_or_by_an_address_to_paste(monkeypatch, client, server):  # noqa: F811
    opened: list[str] = []
    monkeypatch.setattr("typer.launch", opened.append)
    for arguments in (["console"], ["open", "console", "--no-browser", "--sign-in"]):
        server.will(201, ONCE)
        said = invoke(monkeypatch, client, *arguments)
        assert said.exit_code == 0, said.output
    assert opened[0].startswith(f"{server.url}/console#/?once=tok-en.")
    assert said.output.startswith(f"{server.url}/console#/?once=tok-en.")
    assert said.output.strip() != opened[0], "each address has other random bytes"
    assert len(opened) == 1
    assert isinstance(invoke(monkeypatch, client, "console", "--sign-in").exception, BadInput)


def test_the_console_of_an_older_version_asks_for_the_key(monkeypatch, client, server):  # noqa: F811
    opened: list[str] = []
    monkeypatch.setattr("typer.launch", opened.append)
    server.will(404, {"code": "not_found", "detail": "There is no such route"})
    said = invoke(monkeypatch, client, "console")
    assert (said.exit_code, opened) == (0, [f"{server.url}/console"])
    assert "older version, so the console asks for your key" in said.stderr


def test_a_page_without_its_name_is_wrong_use(monkeypatch, client):  # noqa: F811
    assert re.search("write mlops open model NAME", str(invoke(monkeypatch, client, "open", "model").exception))
    assert isinstance(invoke(monkeypatch, client, "open", "console", "x").exception, BadInput)
    assert invoke(monkeypatch, client, "open", "sweep").exit_code == 2


def test_programs_get_the_files_as_json(monkeypatch, client, server):  # noqa: F811
    server.will(200, JOB)
    server.will(200, {"artifacts": [{"path": "a", "size": 1, "url": "https://s3/a"}]})
    shown = invoke(monkeypatch, client, "artifacts", "job_000001", "--json")
    assert json.loads(shown.output) == [{"path": "a", "size": 1, "url": "https://s3/a"}]
