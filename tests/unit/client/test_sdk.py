"""The SDK against a server that answers what it is told to, and against the published schemas."""

import dataclasses
import inspect
import json
import threading
import types
import typing
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.local.settings import ROOT
from tests.support.terminal import terminal
from tools.client_models import NAMES

OPENAPI = json.loads((ROOT / "functions/portal/portal/openapi.json").read_text())
SCHEMAS = OPENAPI["components"]["schemas"]
PROBLEM = {"title": "Unavailable", "status": 503, "detail": "busy", "code": "unavailable", "request_id": "r-1"}


class Server:
    """Gives out `answers` in turn, (status, content type, body, headers), and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str, bytes, dict[str, str]]] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                heard = {name.lower(): value for name, value in self.headers.items()}
                outer.asked.append((self.command, self.path, heard, self.rfile.read(length)))
                status, kind, body, headers = outer.answers.pop(0) if outer.answers else (500, "text/plain", b"", {})
                self.send_response(status)
                for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, format: str, *arguments: Any) -> None:
                """Quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def will(self, status: int, body: Any, kind: str = "application/json", **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append((status, kind, data, {name.replace("_", "-"): value for name, value in headers.items()}))


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def client(server, monkeypatch) -> Any:
    from mlops_client import Client
    from mlops_client.retries import ApiRetry

    monkeypatch.setattr(ApiRetry, "sleep", lambda self, response=None: None)
    return Client(server.url, "secret")


def records() -> list[type]:
    import mlops_client.models as models

    return [each for each in vars(models).values() if dataclasses.is_dataclass(each) and isinstance(each, type)]


def test_every_record_has_the_fields_of_its_published_schema():
    schema_of = {record: schema for schema, record in NAMES.items()}
    unknown = []
    for record in records():
        schema = SCHEMAS.get(schema_of.get(record.__name__, record.__name__))
        if schema is None:
            unknown.append(record.__name__)
            continue
        fields = {each.name: each for each in dataclasses.fields(record)}
        assert set(fields) == set(schema["properties"]), record.__name__
        hints = typing.get_type_hints(record)
        for name, published in schema["properties"].items():
            nullable = any(option.get("type") == "null" for option in published.get("anyOf", []))
            left_out = name not in schema.get("required", []) and "default" not in published  # by some answers
            assert (type(None) in typing.get_args(hints[name])) == (nullable or left_out), f"{record.__name__}.{name}"
            may_be_missing = (
                fields[name].default is not dataclasses.MISSING
                or fields[name].default_factory is not dataclasses.MISSING
            )
            assert may_be_missing or name in schema.get("required", []), f"{record.__name__}.{name} may be left out"
    assert unknown == []


@pytest.mark.parametrize(
    ("method", "words", "schema"),
    [("train", "train", "TrainRequest"), ("sweep", "sweep", "SweepRequest"), ("run_script", "run", "RunRequest")],
)
def test_the_sdk_and_the_command_take_every_field_of_the_request(method, words, schema):
    import typer

    from mlops_client import Client
    from mlops_client.cli import app

    # The code's hash is that of what is packed.
    published = set(SCHEMAS[schema]["properties"]) - {"code"}
    assert published - set(inspect.signature(getattr(Client, method)).parameters) == set()
    command = typer.main.get_command(app).commands[words]  # type: ignore[attr-defined]
    options = {parameter.name for parameter in command.params}
    if {"vcpu", "memory_gb", "minutes"} <= options:
        options.add("resources")
    assert published - options == set()


def test_passing_failures_are_tried_again_and_lasting_ones_are_told(client, server):
    from mlops_client import Unavailable

    server.will(503, PROBLEM, "application/problem+json", retry_after="1")
    server.will(429, PROBLEM, "application/problem+json")
    server.will(200, {"status": "ok", "version": "1"})
    assert client.health().version == "1"
    assert len(server.asked) == 3
    for _ in range(5):
        server.will(503, PROBLEM, "application/problem+json")
    with pytest.raises(Unavailable, match=r"busy \(request r-1\)"):
        client.health()


def test_what_changes_something_is_sent_again_with_the_same_key(client, server):
    server.will(502, PROBLEM, "application/problem+json")
    server.will(202, {"message": "", "job_id": "job_000001", "experiment_name": "e", "status": "pending"})
    assert client.train(epochs=2).job_id == "job_000001"
    keys = [headers["idempotency-key"] for _, _, headers, _ in server.asked]
    assert len(set(keys)) == 1
    assert [json.loads(body) for *_, body in server.asked] == [{"epochs": 2}] * 2


def test_a_web_page_a_redirect_and_nothing_at_all_are_told_apart(client, server):
    from mlops_client import Client, Unreachable

    server.will(200, b"<html>", "text/html")
    with pytest.raises(Unreachable, match="a web page, not the API's JSON"):
        client.health()
    server.will(302, b"", "text/html", location="https://elsewhere.example/")
    with pytest.raises(Unreachable, match=r"redirects to https://elsewhere\.example/"):
        client.health()
    server.will(200, {"unexpected": 1})
    with pytest.raises(Unreachable, match="is not a Health"):
        client.health()
    server.http.server_close()
    with pytest.raises(Unreachable, match="nothing answers at"):
        Client("http://127.0.0.1:9", "k", attempts=1).health()
    with pytest.raises(Unreachable, match="no host"):
        Client("http://nowhere.invalid", "k", attempts=1).health()


def test_lists_read_on_over_pages_and_turn_into_tables(client, server):
    pytest.importorskip("pandas")
    job = {"experiment_name": "e", "status": "completed", "progress": {"epoch": 1, "epochs": 1}, "created_at": "t"}
    for start, cursor in ((0, "more"), (100, None)):
        jobs = [{**job, "job_id": f"job_{start + n}", "metrics": {"accuracy": 0.5}, "new": 1} for n in range(100)]
        server.will(200, {"jobs": jobs[: 100 if cursor else 20], "total_count": 120, "next_cursor": cursor})
    found = client.jobs(limit=1000)
    assert (len(found), found.total_count, found.next_cursor) == (120, 120, None)
    assert "cursor=more" in server.asked[1][1]
    assert list(found.to_frame()["metrics.accuracy"]) == [0.5] * 120


@pytest.mark.parametrize(
    ("image", "body"),
    [
        (np.full((2, 2), 255, np.uint8), {"image": [[255, 255], [255, 255]], "scale": 255}),
        (np.array([0.0, 0.5], np.float32), {"image": [0.0, 0.5]}),
        ([[0, 1], (0, 1)], {"image": [[0, 1], [0, 1]]}),
        ([np.float32(0.5), np.int64(1)], {"image": [0.5, 1]}),
    ],
)
def test_arrays_and_lists_are_sent_as_plain_numbers(image, body):
    from mlops_client.inputs import image_fields

    assert json.loads(json.dumps(image_fields(image))) == body


@pytest.mark.parametrize("image", [b"GIF89a", "a/missing.png", [[True]], [["1"]], 3, [None]])
def test_what_is_no_image_is_refused_before_it_is_sent(client, server, image):
    from mlops_client import MlopsError

    with pytest.raises(MlopsError):
        client.predict(image)
    assert server.asked == []


def test_a_file_that_is_no_png_is_named(client, server, tmp_path):
    from mlops_client import MlopsError

    (tmp_path / "note.png").write_text("hello")
    with pytest.raises(MlopsError, match=r"note\.png is not a PNG"):
        client.predict(tmp_path / "note.png")
    assert server.asked == []


def test_a_job_that_failed_raises_with_its_record(client, server):
    from mlops_client import JobFailed
    from mlops_client.running import RunningJob

    job = {"job_id": "job_000001", "experiment_name": "e", "progress": {"epoch": 0, "epochs": 1}, "created_at": "t"}
    server.will(200, {**job, "status": "failed", "error": "no memory"})
    with pytest.raises(JobFailed, match="job_000001 failed: no memory") as failed:
        RunningJob(client, "job_000001").wait()
    assert failed.value.outcome.job_id == "job_000001"


def test_code_is_uploaded_without_the_key_and_only_once(client, server, tmp_path):
    (tmp_path / "train.py").write_text("print(1)")
    code, accepted = "c" * 64, {"message": "m", "job_id": "job_000001", "experiment_name": "e", "status": "pending"}
    server.will(200, {"code": code, "url": f"{server.url}/bucket/code", "headers": {"x-amz-checksum-sha256": "s"}})
    server.will(503, b"")
    server.will(200, b"")
    server.will(202, accepted)
    assert client.run_script("train.py", folder=tmp_path, params={"lr": 0.1}).job_id == "job_000001"
    asked, *uploads, started = server.asked
    assert [upload[0] for upload in uploads] == ["PUT", "PUT"], "it is tried again"
    for _, _, headers, body in uploads:
        assert headers["x-amz-checksum-sha256"] == "s"
        assert "x-api-key" not in headers
        assert len(body) == json.loads(asked[3])["size"]
    assert json.loads(started[3]) == {"code": code, "script": "train.py", "params": {"lr": 0.1}}
    server.asked.clear()
    server.will(200, {"code": code, "url": None, "headers": {}})
    server.will(202, accepted)
    client.run_script("train.py", folder=tmp_path)
    assert [asked[0] for asked in server.asked] == ["POST", "POST"]


def test_a_kept_key_goes_only_to_the_address_it_was_kept_for(monkeypatch, tmp_path):
    from mlops_client import NotSignedIn
    from mlops_client.config import read_login, save_login

    monkeypatch.setenv("MLOPS_CONFIG", str(tmp_path / "deep" / "config.json"))
    for name in ("MLOPS_API_URL", "MLOPS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NotSignedIn, match="mlops login"):
        read_login()
    path: Path = save_login("https://one.example/v1", "k")
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_login().key == "k"
    with pytest.raises(NotSignedIn, match=r"no key for https://two\.example"):
        read_login(url="https://two.example")


def test_a_profile_is_kept_beside_the_login_without_a_name(monkeypatch, tmp_path):
    from mlops_client import NotSignedIn
    from mlops_client.config import forget_login, profile_names, read_login, read_profile, save_login

    monkeypatch.setenv("MLOPS_CONFIG", str(tmp_path / "config.json"))
    for name in ("MLOPS_API_URL", "MLOPS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    save_login("https://prod.example/v1", "p", "prod")
    save_login("https://one.example/v1", "k")
    save_login("https://test.example/v1", "t", "test")
    assert (tmp_path / "config.json").stat().st_mode & 0o777 == 0o600
    assert (read_login().key, read_profile("prod").key, read_profile("test").url) == (
        "k",
        "p",
        "https://test.example/v1",
    )
    with pytest.raises(
        NotSignedIn, match=r"no profile 'stage' \(there are: prod, test\): run `mlops login URL --profile"
    ):
        read_profile("stage")
    assert forget_login("test")
    assert not forget_login("test")
    assert forget_login()
    with pytest.raises(NotSignedIn):
        read_login()
    assert (profile_names(), read_profile("prod").key) == (["prod"], "p")
    assert forget_login("prod")
    assert not (tmp_path / "config.json").exists()


def test_optional_types_are_told_from_their_hints():
    """`decode` takes the first of a union's types; every record lists it before None."""
    for record in records():
        for hint in typing.get_type_hints(record).values():
            if isinstance(hint, types.UnionType):
                assert typing.get_args(hint)[0] is not type(None)


def test_drift_over_time_is_typed_and_reads_as_a_table(client, server):
    from typer.testing import CliRunner

    from mlops_client.cli import app

    hours = [f"2026-01-31T{hour:02}:00:00Z" for hour in (10, 11, 12)]
    signal = {"signal": "confidence", "psi": 0.31, "p_value": 1e-9, "significant": True, "status": "alert"}
    few = {"samples": 5, "status": "insufficient_data", "psi": None, "signal": None, "signals": [], "note": "5 of 200"}
    many = {"samples": 400, "status": "alert", "psi": 0.31, "signal": "confidence", "signals": [signal], "note": None}
    history = {
        "model_name": "digits",
        "model_version": 3,
        "start": hours[0],
        "end": hours[2],
        "step_hours": 1,
        "against": "reference",
        "against_samples": 1000,
        "thresholds": {
            "warning": 0.1,
            "alert": 0.2,
            "retrain": 0.25,
            "alpha": 0.01,
            "minimum_samples": 200,
            "share_warning": 0.01,
            "share_alert": 0.03,
            "columns_alpha": 0.01,
        },
        "points": [
            {"start": start, "end": end, "column": None, "columns": [], **found}
            for start, end, found in zip(hours, hours[1:], (few, many), strict=False)
        ],
    }
    for _ in range(2):
        server.will(200, history)
    found = client.drift_history("digits", hours=2)
    assert server.asked[0][1].startswith("/drift/history?")
    assert ([point.psi for point in found.points], found.points[1].signals[0].p_value) == ([None, 0.31], 1e-9)
    environment = {"MLOPS_API_URL": server.url, "MLOPS_API_KEY": "secret", **terminal(120)}
    said = CliRunner().invoke(app, ["drift", "digits", "--history", "2"], env=environment)
    assert said.exit_code == 0, said.output
    rows = [line.split() for line in said.output.splitlines()]
    assert ["2026-01-31", "10:00", "5", "insufficient", "data"] in rows
    assert ["2026-01-31", "11:00", "400", "alert", "0.3100", "confidence"] in [row[:6] for row in rows]


def test_pauses_follow_retry_after_and_what_may_not_happen_twice_is_not_repeated(server, monkeypatch):
    from mlops_client import Unavailable
    from mlops_client.transport import Transport

    pauses: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", pauses.append)
    transport = Transport(server.url, "secret")
    server.will(503, PROBLEM, "application/problem+json", retry_after="3")
    server.will(503, PROBLEM, "application/problem+json", retry_after="soon")
    server.will(200, {})
    transport.call("GET", "/health")
    assert pauses[0] == 3
    assert all(0 <= pause <= 1 for pause in pauses[1:])
    server.will(429, PROBLEM, "application/problem+json")
    server.will(503, PROBLEM, "application/problem+json")
    with pytest.raises(Unavailable):
        transport.call("POST", "/train", {})
    assert len(server.asked) == 5, "a throttled request was not begun; after the 503 nobody knows"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_have_are_refused(client, server, value):
    from mlops_client import BadInput

    with pytest.raises(BadInput, match="finite"):
        client.predict(inputs=[1.0, value])
    with pytest.raises(BadInput, match="finite"):
        client.train(learning_rate=value)
    assert server.asked == []


@pytest.mark.parametrize("values", [[1.5, 2.7], {"low": 1, "high": 2.5}])
def test_fractions_of_whole_hyperparameters_are_refused(client, server, values):
    from mlops_client import BadInput
    from mlops_client.inputs import WHOLE_NUMBERS

    published = SCHEMAS["TrainRequest"]["properties"]
    assert {name for name, field in published.items() if field.get("type") == "integer"} - {"seed"} == WHOLE_NUMBERS
    with pytest.raises(BadInput, match="epochs takes whole numbers"):
        client.sweep(space={"epochs": values})
    assert server.asked == []


def test_a_login_that_cannot_be_stored_is_told(monkeypatch, tmp_path):
    from mlops_client import MlopsError
    from mlops_client.config import save_login

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLOPS_CONFIG", str(tmp_path / "file" / "config.json"))
    with pytest.raises(MlopsError, match="set MLOPS_CONFIG"):
        save_login("https://one.example", "k")


@pytest.mark.parametrize("home", ["/dev/null", ""])
def test_a_home_folder_that_cannot_be_read_is_not_needed(monkeypatch, home):
    from mlops_client import MlopsError
    from mlops_client.config import read_login, save_login

    for name in ("MLOPS_CONFIG", "XDG_CONFIG_HOME", "MLOPS_API_URL", "MLOPS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", home)
    if not home:
        # As for a user of a container who is in no list of users.
        monkeypatch.setattr(Path, "home", lambda: Path("~nobody-of-this-name").expanduser())
    with pytest.raises(MlopsError, match=r"set MLOPS_CONFIG|run `mlops login"):
        read_login("https://one.example")
    with pytest.raises(MlopsError, match="set MLOPS_CONFIG to a writable file, or set MLOPS_API_URL and MLOPS_API_KEY"):
        save_login("https://one.example", "k")
    assert read_login("https://one.example", "k").source == "the command line"
    monkeypatch.setenv("MLOPS_API_KEY", "e")
    assert read_login("https://one.example").key == "e"


def test_control_characters_of_others_are_not_printed(client, server):
    from typer.testing import CliRunner

    from mlops_client.cli import app

    server.will(200, {"lines": [{"at": 0, "message": "a\x1b]0;owned\x07b\x9b2Jc\rd"}]})
    environment = {"MLOPS_API_URL": server.url, "MLOPS_API_KEY": "secret"}
    said = CliRunner().invoke(app, ["logs", "job_000001"], env=environment)
    assert said.output.splitlines() == ["a]0;ownedb2Jcd"]


def test_metrics_of_ones_own_are_shown(client, server):
    from typer.testing import CliRunner

    from mlops.domain.metric_kinds import own_metrics
    from mlops_client.cli import app

    run = {"params": {}, "status": "finished", "started_at": None, "ended_at": None}
    figures = {"rmse": 0.25, "precision_at_5": 0.5, "precision_0": 0.9, "recall_0": 0.9, "train_loss": 1.0}
    run["own_metrics"] = own_metrics([figures])
    runs = [{**run, "run_id": f"{n}" * 8, "run_name": f"run-{n}", "metrics": figures} for n in range(2)]
    server.will(200, {"experiment_id": "1", "name": "e", "runs": runs, "total_count": 2})
    environment = {"MLOPS_API_URL": server.url, "MLOPS_API_KEY": "secret", **terminal(160)}
    head = CliRunner().invoke(app, ["runs", "e"], env=environment).output.splitlines()[0]
    assert {"rmse", "precision_at_5"} <= set(head.split())
    assert not {"precision_0", "train_loss"} & set(head.split())


def test_a_comparison_shows_the_metrics_of_ones_own(client, server):
    from typer.testing import CliRunner

    from experiments.comparison import compare
    from mlops.api.schemas.experiments import RunRow
    from mlops_client.cli import app

    run = {"params": {}, "status": "finished", "started_at": None, "ended_at": None}
    figures = {"rmse": 0.25, "my metric": 3.0, "train_loss": 1.0, "precision_0": 0.9, "recall_0": 0.9}
    runs = [
        {
            **run,
            "run_id": f"{n}" * 8,
            "run_name": f"run-{n}",
            "metrics": {key: value + n for key, value in figures.items()},
        }
        for n in range(2)
    ]
    page = {"experiment_id": "1", "name": "e", "runs": runs, "total_count": 2}
    comparison = compare("1", "e", [RunRow.model_validate(each) for each in runs]).model_dump()
    environment = {"MLOPS_API_URL": server.url, "MLOPS_API_KEY": "secret", **terminal(160)}

    server.will(200, page)
    server.will(200, comparison)
    shown = CliRunner().invoke(app, ["compare", "run-0", "run-1", "--experiment", "e"], env=environment).output
    assert "do not differ" not in shown
    rows = {line.rsplit(maxsplit=2)[0].strip(): line.split()[-2:] for line in shown.splitlines()[1:3]}
    assert rows == {"rmse": ["0.25", "1.25"], "my metric": ["3", "4"]}
    assert "3 more metrics differ" in shown, "those of the epochs and the class"

    server.will(200, page)
    server.will(200, comparison)
    command = ["compare", "run-0", "run-1", "--experiment", "e", "--all"]
    assert "train_loss" in CliRunner().invoke(app, command, env=environment).output


@pytest.mark.parametrize("order", ["metrics.`my metric` desc", 'metrics."my metric"', "metrics.`my metric`"])
def test_the_metric_that_orders_the_runs_has_a_column(order):
    from mlops_client.cli.runs import metric_columns
    from mlops_client.models import RunRow

    run = RunRow(
        run_id="1",
        run_name="a",
        metrics={"my metric": 1.0, "accuracy": 0.5},
        params={},
        status="finished",
        started_at=None,
        ended_at=None,
    )
    assert metric_columns([run], order) == ["my metric", "accuracy"]
