"""log_model: a version that looks as a training job's, and errors before anything is logged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mlops.domain import objective
from mlops.domain.objective import ACCURACY
from mlops_client import BadInput, MlopsError, log_model
from mlops_client import own_models as logging
from mlops_contract import Task
from mlops_contract.proof_rows import ProofRows
from trainer.tracking import version_tags

ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 2)).astype(np.float32), columns=["width", "height"])
TRUTH = pd.Series(np.where(ROWS["width"] > 0, "wide", "narrow"), name="shape")


def fitted(*steps: Any) -> Any:
    return make_pipeline(*steps, LogisticRegression()).fit(ROWS, TRUTH)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mlflow.MlflowClient]:
    folder = tmp_path_factory.mktemp("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    try:
        own = mlflow.create_experiment("own", artifact_location=str(folder / "files"))
        with pytest.MonkeyPatch.context() as patch:  # set_experiment would hold for later tests of this process too
            patch.setenv("MLFLOW_EXPERIMENT_ID", own)
            yield mlflow.MlflowClient()
    finally:
        mlflow.set_tracking_uri(None)  # "" would stay, and lead later tests of this process astray


@pytest.mark.slow
def test_a_version_is_as_that_of_a_training_job(client: mlflow.MlflowClient, tmp_path: Path) -> None:
    with mlflow.start_run() as active:
        number = log_model(fitted(StandardScaler()), ROWS, target=TRUTH, name="shapes")
    version = client.get_model_version("shapes", str(number))
    assert version.run_id == active.info.run_id, "the run that was active"
    run = client.get_run(version.run_id)
    expected = version_tags(version.tags["sha256"], version.tags["dataset_digest"], ACCURACY, Task.CLASSIFICATION, None)
    assert version.tags == expected
    assert run.data.metrics["accuracy"] > 0.9
    assert run.data.tags["mlops.objective"] == "accuracy"
    assert run.data.tags["mlops.dataset_digest"] == version.tags["dataset_digest"]
    folder = Path(client.download_artifacts(version.run_id, "", str(tmp_path)))
    assert {path.name for path in folder.iterdir()} >= {"proof.json", "proof.npz", "profile.json", "model_card.md"}
    assert len(ProofRows.from_bytes((folder / "proof.npz").read_bytes())) > 100
    profile = json.loads((folder / "profile.json").read_text())
    assert [column["name"] for column in profile["columns"]] == ["width", "height"]
    assert {entry["value"] for entry in profile["target"]["classes"]} == {"narrow", "wide"}
    info = mlflow.models.get_model_info(version.source)
    assert info.signature.inputs.input_names() == ["width", "height"]
    example = mlflow.pyfunc.load_model(version.source).input_example
    assert list(example.columns) == ["width", "height"]


@pytest.mark.slow
def test_what_is_refused_leaves_nothing_in_mlflow(client: mlflow.MlflowClient) -> None:
    before = len(client.search_runs([mlflow.get_experiment_by_name("own").experiment_id]))
    with pytest.raises(BadInput, match="'functiontransformer' \\(FunctionTransformer\\)"):
        log_model(fitted(FunctionTransformer(lambda rows: rows * 2)), ROWS, name="refused")
    with pytest.raises(BadInput, match="direction='maximise'"):
        log_model(fitted(), ROWS, name="refused", objective="profit")
    with pytest.raises(BadInput, match="'roc_auc' was not measured \\(measured: none, as there is no target"):
        log_model(fitted(), ROWS, name="refused", objective="roc_auc")
    with pytest.raises(BadInput, match=r"the proof was not done after 0 seconds.*more time with proof_seconds"):
        log_model(fitted(StandardScaler()), ROWS, name="refused", proof_seconds=0)
    with pytest.raises(BadInput, match="data lacks the columns 'height'"):
        log_model(fitted(), ROWS[["width"]], name="refused")
    assert client.search_registered_models("name = 'refused'") == []
    assert len(client.search_runs([mlflow.get_experiment_by_name("own").experiment_id])) == before


def test_without_mlflow_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "PACKAGES", ("a_package_that_is_not_there",))
    with pytest.raises(
        MlopsError, match=r"log_model needs a_package_that_is_not_there: pip install 'mlops-client\[convert"
    ):
        log_model(None, None, name="any")


def test_metrics_are_better_in_the_direction_that_the_platform_ranks_by() -> None:
    known = {name for task in Task for name in objective.names(task)}
    named = {objective.named(name).name: objective.named(name).direction.value for name in known}
    assert named == logging.DIRECTIONS
