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
        timeout=60,
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
    declared = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    extras = [each for group in declared["optional-dependencies"].values() for each in group]
    names = {re.split(r"[<>=\[]", each)[0] for each in [*declared["dependencies"], *extras]} | {"botocore", "PIL"}
    known = names | set(sys.stdlib_module_names) | {"mlops_client", "__future__"}
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


def test_tables_leave_out_columns_rather_than_squeeze_them():
    from mlops_client.cli.output import Column, table

    columns = [Column("job", 9), Column("status", 8), Column("experiment", 3), Column("created", 5)]
    rows = [["job_000001", "completed", "a-long-experiment-name", "3 min ago"]]
    headers = {width: [column.header for column in table(columns, rows, width).columns] for width in (80, 40, 12)}
    assert headers == {80: ["job", "status", "experiment", "created"], 40: ["job", "status", "created"], 12: ["job"]}


def test_what_to_try_is_values_or_a_range():
    from mlops_client.cli.training import parse_space
    from mlops_client.errors import BadInput

    assert parse_space(["hidden_size=64,128", "learning_rate=0.001..0.1:log", "dropout=0..0.5"]) == {
        "hidden_size": [64.0, 128.0],
        "learning_rate": {"low": 0.001, "high": 0.1, "log": True},
        "dropout": {"low": 0.0, "high": 0.5, "log": False},
    }
    for wrong in ("hidden_size", "x=a,b", "x=1..2:lin", "x=1..2..3"):
        with pytest.raises(BadInput, match="--try"):
            parse_space([wrong])


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
