"""The page on models from elsewhere: its code makes a model that the gate admits."""

import re
from typing import Any

import pytest

from infra.local.settings import ROOT
from mlops.domain.stages import Stage
from mlops_contract.onnx_file import ModelFile
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
        files = [path.read_bytes() for path in tmp_path.rglob("model.onnx")]
    finally:
        mlflow.set_tracking_uri(None)  # "" would stay, and lead later tests of this process astray
    manifests = [examine(ModelFile(file), PLACEMENT, Limits(1769)).manifest for file in files]
    (vector,) = [manifest for manifest in manifests if manifest.input is not None]
    assert vector.labels == ("class_0", "class_1", "class_2")
    assert vector.input.features == 13
    (table,) = [manifest for manifest in manifests if manifest.contract is not None]
    assert table.labels == ("no", "yes")
    assert [column.name for column in table.contract.columns] == ["age", "job"]


def test_the_time_that_the_page_names_is_the_limit() -> None:
    assert f"and {EXAMINATION_SECONDS:g} seconds" in PAGE
