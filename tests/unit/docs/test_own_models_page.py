"""The page on people's own models: its code logs versions that the gate admits, and signs requests for AWS."""

import json
import re
import subprocess
import sys
import threading
import tomllib
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.local.settings import ROOT
from tests.support.served_models import admitted

PAGE = (ROOT / "docs/own-models.md").read_text()


@pytest.mark.slow
def test_what_the_page_logs_is_admitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import mlflow

    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    try:
        names: dict[str, Any] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for code in re.findall(r"```python\n(.*?)```", PAGE, re.S):
                exec(code, names)
        client = mlflow.MlflowClient()
        versions = client.search_model_versions()
        for version in versions:
            admitted(*_files(client, version, tmp_path))
    finally:
        mlflow.set_tracking_uri(None)  # "" would stay, and lead later tests of this process astray
    found = sorted((version.name, int(version.version)) for version in versions)
    assert found == [
        ("churn", 1),
        ("churn", 2),
        ("churn-network", 1),
        ("churn-notes", 1),
        ("churn-xgboost", 1),
        ("support-hours", 1),
    ]
    objectives = {(version.name, int(version.version)): version.tags["objective"] for version in versions}
    assert objectives["churn", 1] == "accuracy"
    assert objectives["churn", 2] == "profit"
    assert objectives["support-hours", 1] == "rmse"
    printed = capsys.readouterr().out
    assert "churn version 1" in printed
    assert "columntransformer › texts (OneHotEncoder): " in printed


SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/eu-west-1/execute-api/aws4_request, .*Signature=[0-9a-f]{64}"
)


class Gateway(BaseHTTPRequestHandler):
    """Stands where the network is, and knows one experiment. It answers 403 as API Gateway does to what is unsigned."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        signed = SIGNED.fullmatch(self.headers.get("Authorization", ""))
        body = json.dumps({"experiment": {"experiment_id": "7", "name": "churn", "lifecycle_stage": "active"}}).encode()
        self.send_response(200 if signed else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


@pytest.fixture
def gateway() -> Iterator[ThreadingHTTPServer]:
    Gateway.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_box_for_notebooks_sends_signed_requests(tmp_path: Path, gateway: ThreadingHTTPServer) -> None:
    (box,) = re.findall(r"```python notebook\n(.*?)```", PAGE, re.S)
    project = tomllib.loads((ROOT / "client/pyproject.toml").read_text())["project"]
    ((group, points),) = project["entry-points"].items()
    installed = tmp_path / "installed" / "mlops_client-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: mlops-client\nVersion: 1.0\n")
    lines = [f"{name} = {place}\n" for name, place in points.items()]
    (installed / "entry_points.txt").write_text("".join([f"[{group}]\n", *lines]))
    address = "http://abc.execute-api.eu-west-1.amazonaws.com/mlflow"
    script = f"TRACKING_URL = {address!r}\n{box}\nprint(mlflow.get_experiment_by_name('churn').experiment_id)"
    environment = {
        "PATH": "",
        "HOME": str(tmp_path),
        "HTTP_PROXY": f"http://127.0.0.1:{gateway.server_port}",
        "PYTHONPATH": f"{installed.parent}:{ROOT / 'client'}",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "7"
    assert {path.partition("?")[0] for path in Gateway.asked} == {f"{address}/api/2.0/mlflow/experiments/get-by-name"}


def _files(client: Any, version: Any, folder: Path) -> tuple[bytes, bytes]:
    """The model's file and its proof, as the gate reads them."""
    logged = client.get_logged_model(version.source.removeprefix("models:/"))
    model = Path(logged.artifact_location.removeprefix("file://"))
    if not model.is_absolute():
        model = folder / model
    run = client.get_run(version.run_id)
    proof = Path(client.download_artifacts(version.run_id, "proof.npz", str(folder)))
    assert json.loads(Path(client.download_artifacts(version.run_id, "proof.json", str(folder))).read_text())["passes"]
    assert run.data.tags["mlops.sha256"] == version.tags["sha256"]
    return (model / "model.onnx").read_bytes(), proof.read_bytes()
