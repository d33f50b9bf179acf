"""The page on models from elsewhere: its code makes a model that the gate admits."""

import re
from typing import Any

import pytest

from infra.local.settings import ROOT
from mlops.domain.stages import Stage
from promotion.examination import EXAMINATION_SECONDS, Limits, Placement, examine

PAGE = (ROOT / "docs/models.md").read_text()
PLACEMENT = Placement("wine", 1, Stage.PRODUCTION, "run", {"accuracy": 1.0}, "tr_1")


@pytest.mark.slow
def test_what_the_page_converts_and_logs_is_admitted(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    try:
        names: dict[str, Any] = {}
        for code in re.findall(r"```python\n(.*?)```", PAGE, re.S):
            exec(code, names)
        (path,) = tmp_path.rglob("model.onnx")
    finally:
        mlflow.set_tracking_uri(None)  # "" would stay, and lead later tests of this process astray
    manifest = examine(path.read_bytes(), PLACEMENT, Limits(1769)).manifest
    assert manifest.labels == ("class_0", "class_1", "class_2")
    assert manifest.input.features == 13


def test_the_time_that_the_page_names_is_the_limit() -> None:
    assert f"and {EXAMINATION_SECONDS:g} seconds" in PAGE
