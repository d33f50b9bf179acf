"""The command line by itself: its help, its documentation, what it imports, and how it reads on odd terminals."""

import ast
import contextlib
import io
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from infra.local.settings import ROOT
from mlops_client import cli
from mlops_client.errors import api_error
from tests.support.terminal import terminal

CLIENT = ROOT / "client"
# typer brings pydantic itself, to read options with.
HEAVY = {"torch", "mlflow", "numpy", "pandas", "PIL", "boto3", "botocore", "fastapi", "mlops"}
IMPORT_SECONDS = 0.6
"""Of processor time, for the whole command line: three times what it takes."""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}
    return subprocess.run(
        [sys.executable, "-m", "mlops_client", *arguments],
        env=kept | {"PYTHONPATH": str(CLIENT), "MLOPS_CONFIG": "/nonexistent/config.json", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


HELP = """
import contextlib, io, json, sys
import typer
from mlops_client.cli import app

def help_of(command, words):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = typer.main.get_command(app).main([*words, "--help"], standalone_mode=False)
    told[" ".join(words)] = (code or 0, said.getvalue())
    for name, inner in getattr(command, "commands", {}).items():
        help_of(inner, [*words, name])

told = {}
help_of(typer.main.get_command(app), [])
print(json.dumps({"told": told, "modules": list(sys.modules)}))
"""


def test_help_of_every_command_imports_nothing_heavy():
    """A budget in modules, which does not hang on how busy the machine is."""
    ran = subprocess.run(
        [sys.executable, "-c", HELP],
        env=os.environ | {"PYTHONPATH": str(CLIENT)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(ran.stdout)
    assert {"", "train", "predict", "keys", "keys create"} <= set(found["told"])
    for words, (code, text) in found["told"].items():
        assert (code, text[:6]) == (0, "Usage:"), words
    loaded = {name.split(".")[0] for name in found["modules"]}
    assert "mlops_client" in loaded
    assert loaded & HEAVY == set()


def test_the_command_line_is_imported_within_its_budget():
    program = "import time; start = time.process_time(); import mlops_client.cli; print(time.process_time() - start)"
    times = []
    for _ in range(3):
        ran = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONPATH": str(CLIENT)},
            capture_output=True,
            text=True,
            check=True,
        )
        times.append(float(ran.stdout))
    assert min(times) < IMPORT_SECONDS


def test_every_command_has_help_that_reads_in_40_columns():
    import typer

    from mlops_client.cli import app

    for name, command in commands(typer.main.get_command(app), "mlops"):
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name} says nothing"
    ran = run("train", "--help", COLUMNS="40")
    assert ran.returncode == 0
    # One option with both its names is as wide as this; nothing is wider.
    assert max(len(line) for line in ran.stdout.splitlines()) <= 52


def test_every_command_is_below_a_heading_and_every_example_is_one_that_works():
    import shlex

    import typer

    from mlops_client.cli import app
    from mlops_client.cli.help import EXAMPLES, GroupedCommands

    group: Any = typer.main.get_command(app)
    listed = [name for names in GroupedCommands.headings.values() for name in names]
    assert sorted(listed) == sorted(group.commands)
    shown = run("--help").stdout
    assert {f"{heading}:" for heading in group.headings} <= set(shown.splitlines())
    for command, lines in EXAMPLES.items():
        for line in lines:
            program, *words = shlex.split(line)
            assert program == "mlops"
            assert command in ("", words[0])
            # Options that do not exist, and values that cannot be read, are errors.
            group.commands[words[0]].make_context(words[0], words[1:])
        said = run(*([command] if command else []), "--help", COLUMNS="300").stdout
        assert all(f"`{line}`" in said for line in lines), command


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command with its whole name, those of groups included."""
    yield name, command
    for inner, found in getattr(command, "commands", {}).items():
        yield from commands(found, f"{name} {inner}")


def test_the_reference_is_what_the_commands_say():
    command = ["-m", "typer", "mlops_client.cli", "utils", "docs", "--name", "mlops", "--title", "The command line"]
    made = subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"PYTHONPATH": str(CLIENT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ROOT / "docs" / "cli.md").read_text() == made.stdout.rstrip() + "\n", "run `make cli-docs`"


def test_only_declared_packages_are_imported():
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())
    declared, wheel = project["project"], project["tool"]["hatch"]["build"]["targets"]["wheel"]
    own = {*wheel["packages"], *wheel["force-include"].values()}
    own |= {"sklearn", "torch", "lightgbm", "xgboost"}  # who converts a model of theirs has them
    own |= {"mlflow", "requests"}  # who logs it has MLflow, which brings requests
    extras = [each for group in declared["optional-dependencies"].values() for each in group]
    names = {re.split(r"[<>=\[]", each)[0] for each in [*declared["dependencies"], *extras]} | {"botocore", "PIL"}
    known = names | set(sys.stdlib_module_names) | own | {"__future__"}
    for path in CLIENT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            assert {each.split(".")[0] for each in modules} <= known, path


@pytest.mark.parametrize(
    ("environment", "arguments", "code", "said"),
    [
        ({}, ("jobs",), 3, "no address of the API"),
        ({"MLOPS_API_URL": "ftp://x", "MLOPS_API_KEY": "k"}, ("jobs",), 3, "is not the address of an API"),
        ({"MLOPS_API_URL": "http://127.0.0.1:9", "MLOPS_API_KEY": "k"}, ("train",), 4, "nothing answers at"),
        ({}, ("jobs", "--limit", "0"), 2, "--limit"),
        ({}, ("predict", "--inputs", "1,nan"), 2, "every number must be finite"),
        ({}, ("predict", "--inputs", "1,-inf"), 2, "every number must be finite"),
        ({}, ("predict", "--inputs", "1;2"), 2, "expected numbers separated by commas"),
        ({"MLOPS_API_URL": "http://127.0.0.1:9", "MLOPS_API_KEY": "k"}, ("logs", "42"), 2, "such as job_000042"),
        ({"MLOPS_API_URL": "http://127.0.0.1:9", "MLOPS_API_KEY": "k"}, ("jobs", "sweep_x"), 2, "is not a sweep id"),
    ],
)
def test_errors_are_one_line_with_an_exit_code(environment, arguments, code, said):
    ran = run(*arguments, **environment, COLUMNS="40", NO_COLOR="1")
    assert (ran.returncode, ran.stdout) == (code, "")
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    if "--limit" not in arguments:  # where typer itself complains, and shows the usage
        assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("problem", "lines"),
    [
        (
            {
                "detail": "version 3 serves Production: archive it first",
                "kept": [
                    {"version": 3, "reasons": ["serves Production: archive it first", "is being converted: wait"]},
                    {"version": 4, "reasons": ["serves Staging: archive it first"]},
                ],
            },
            ["kept: version 3 is being converted: wait", "kept: version 4 serves Staging: archive it first"],
        ),
        ({"detail": "Version 3 is archived", "allowed": ["Staging", "Production"]}, ["allowed: Staging, Production"]),
        ({"detail": "no such model", "code": "not_found", "request_id": "r", "status": 404}, []),
    ],
)
def test_what_an_error_says_beside_its_sentence_is_shown_too(
    problem: dict[str, Any], lines: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = api_error(409, problem)
    assert error.more == {name: value for name, value in problem.items() if name in ("kept", "allowed")}

    def refused(**_: Any) -> None:
        raise error

    monkeypatch.setattr(cli, "app", refused)
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err.splitlines()[1:] == lines


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"<!doctype html><h1>Welcome</h1>", "a web page, not the API's JSON"), (b'{"hello": 1}', "not a page of")],
)
def test_what_is_not_the_api_is_told_in_one_line(content, said):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html" if content.startswith(b"<") else "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    with serving(Handler) as port:
        ran = run("jobs", MLOPS_API_URL=f"http://127.0.0.1:{port}", MLOPS_API_KEY="k")
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (4, "", 1)
    assert said in ran.stderr


def test_a_certificate_that_is_not_valid_is_told_with_what_to_do(tmp_path):
    certificate = expired_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)

    with serving(Handler, context) as port:
        here = {"MLOPS_API_URL": f"https://localhost:{port}", "MLOPS_API_KEY": "k"}
        expired = run("jobs", **here, SSL_CERT_FILE=str(certificate))
        unknown = run("jobs", **here)
    for ran in (expired, unknown):
        assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (4, "", 1)
        assert "nothing was sent" in ran.stderr
    assert "certificate has expired" in expired.stderr
    assert "ask the API's operator to renew the certificate" in expired.stderr
    assert "SSL_CERT_FILE" in unknown.stderr
    assert asked == [], "the key does not leave before the certificate is trusted"


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server on this machine."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A handshake that the client broke off is no news."""

    server = Server(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def expired_certificate(folder: Path) -> Path:
    """Key and certificate of localhost in one file; it was valid for a day, a month ago, and vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "localhost")])
    began = datetime.now(UTC) - timedelta(days=30)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = folder / "localhost.pem"
    path.write_bytes(key.private_bytes(*form) + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_what_to_try_is_values_or_a_range():
    from mlops_client.cli.training import parse_space
    from mlops_client.errors import BadInput

    assert parse_space(["hidden_size=64,128", "learning_rate=0.001..0.1:log", "dropout=0..0.5"]) == {
        "hidden_size": [64, 128],
        "learning_rate": {"low": 0.001, "high": 0.1, "log": True},
        "dropout": {"low": 0.0, "high": 0.5, "log": False},
    }
    assert parse_space(["penalty=l2,elasticnet", "max_depth=6,null", "balanced=true"]) == {
        "penalty": ["l2", "elasticnet"],
        "max_depth": [6, None],
        "balanced": [True],
    }
    for wrong in ("hidden_size", "hidden_size=", "x=1..2:lin", "x=1..2..3", "x=a..b"):
        with pytest.raises(BadInput, match="--try"):
            parse_space([wrong])


def test_options_of_a_table_become_the_fields_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from typer.testing import CliRunner

    from mlops_client.cli import app, training

    asked: list[dict[str, Any]] = []
    started = SimpleNamespace(job_id="job_000001", sweep_id="sweep_000001")
    client = SimpleNamespace(
        train=lambda **fields: asked.append(fields) or started, sweep=lambda **fields: asked.append(fields) or started
    )
    monkeypatch.setattr(training, "new_client", lambda: client)
    words = (
        "--target churned --task classification --objective roc_auc --set num_leaves=31 --set penalty=l2 --preset best"
    )
    words += " --set max_depth=null --column age=category --column a=b=ignore --held-out date=2026-01-01 --weight w"
    words += " --class-weight balanced --vcpu 4 --memory 16 --minutes 60 --model-type lightgbm"
    wanted = {
        "target": "churned",
        "task": "classification",
        "objective": "roc_auc",
        "hyperparameters": {"num_leaves": 31, "penalty": "l2", "max_depth": None},
        "preset": "best",
        "columns": {"age": "category", "a=b": "ignore"},
        "held_out": {"column": "date", "from": "2026-01-01"},
        "weight": "w",
        "class_weight": "balanced",
        "resources": {"vcpu": 4.0, "memory_gb": 16.0, "minutes": 60},
        "model_type": "lightgbm",
    }
    for command in (["train"], ["sweep", "--no-watch"]):
        done = CliRunner().invoke(app, [*command, *words.split()])
        assert done.exit_code == 0, done.output
        fields = asked.pop()
        assert {name: fields[name] for name in wanted} == wanted
        assert fields.keys().isdisjoint({"vcpu", "memory_gb", "minutes"})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0.2", 0.2),
        ("customer_id", {"column": "customer_id"}),
        ("nan", {"column": "nan"}),
        ("a=b", {"column": "a", "from": "b"}),
    ],
)
def test_held_out_rows_are_a_share_a_time_or_groups(text: str, wanted: Any) -> None:
    from mlops_client.cli.subject import parse_held_out

    assert parse_held_out(text) == wanted


@pytest.mark.parametrize("option", ["--set", "--column"])
@pytest.mark.parametrize("text", ["a", "a=", "=b"])
def test_a_pair_without_a_name_or_a_value_is_refused(option: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from typer.testing import CliRunner

    from mlops_client.cli import app, training
    from mlops_client.errors import BadInput

    monkeypatch.setattr(training, "new_client", lambda: SimpleNamespace(train=None))
    done = CliRunner().invoke(app, ["train", option, text])
    assert isinstance(done.exception, BadInput)
    assert option in str(done.exception)


def test_model_types_are_listed_and_shown_with_their_hyperparameters(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from typer.testing import CliRunner

    from mlops_client.cli import app, model_types
    from mlops_client.models import ModelType
    from mlops_client.records import decode_page
    from tests.support.model_types import PUBLISHED

    found = decode_page(ModelType, PUBLISHED.model_dump(mode="json"), "model_types")
    for variable, value in terminal(160).items():  # narrower terminals leave columns out
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(model_types, "new_client", lambda: SimpleNamespace(model_types=lambda: found))
    listed = CliRunner().invoke(app, ["model-types"]).output
    assert all(each.name in listed for each in found)
    shown = CliRunner().invoke(app, ["model-types", "lightgbm"]).output
    assert re.search(r"num_leaves +whole number from 2 to 1024 +31 ", shown)
    assert re.search(r"learning_rate +number above 0 to 1 +0\.1 +0\.05 +0\.02\.\.0\.3:log", shown)
    assert re.search(r"max_depth +whole number from 1 to 64 or null +null", shown)
    unknown = CliRunner().invoke(app, ["model-types", "lightgmb"])
    assert "lightgbm" in str(unknown.exception)


def test_drawings_are_plain_where_the_terminal_is():
    from rich.console import Console

    from mlops_client.cli.drawing import drawn, sparkline
    from mlops_client.images import Image

    plain = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"), width=20, color_system=None)
    image = Image("x", 28, 28, [1.0] * 784)
    lines = drawn(image, plain).plain.splitlines()
    assert max(len(line) for line in lines) <= 20
    assert set("".join(lines)) == {"@"}
    assert sparkline([1, 2, 3], plain).isascii()
