"""The page on people's own models: its code logs versions that the gate admits."""

import json
import re
import warnings
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
