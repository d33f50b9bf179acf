"""Log a model's file to MLflow by single calls, as `mlflow.onnx.log_model` does, and register it.

MLflow is imported when something is logged.
"""

import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_conversion import mlflow_folder
from mlops_conversion.mlflow_folder import Shape

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL_ARTIFACT = "model"
MODEL_TAG = "mlops.model_uri"
"""The tag of a run that says that its model is logged whole, and where."""
METRICS_PER_CALL = 1000  # MLflow's own limit
_NOT_IN_NAMES = re.compile(r"""[/:.%"']""")


def log(
    client: "MlflowClient",
    experiment_id: str,
    run_id: str,
    name: str,
    kind: str,
    content: bytes,
    shape: Shape,
    metadata: Mapping[str, str],
    example: Sequence[Any] = (),
) -> str:
    """Log the model of a run, and return the id that MLflow gives the model; `measured` logs its metrics.

    Args:
        client: What it is sent by.
        experiment_id: The experiment of the run.
        run_id: The run that made it.
        name: What MLflow's pages call it; characters that MLflow does not take become hyphens.
        kind: What it is, for MLflow's pages.
        content: The ONNX file, which is written as it is.
        shape: What the model takes and gives.
        metadata: What MLmodel says of it.
        example: Rows as callers send them.
    """
    from mlflow.entities import LoggedModelOutput

    shown = _NOT_IN_NAMES.sub("-", name) or MODEL_ARTIFACT
    logged = client.create_logged_model(experiment_id, name=shown, source_run_id=run_id, model_type=kind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_ARTIFACT
        mlflow_folder.save(path, content, shape, run_id, logged, metadata, example)
        client.log_model_artifacts(logged.model_id, str(path))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    client.set_tag(run_id, MODEL_TAG, f"models:/{logged.model_id}")
    return str(logged.model_id)


def measured(client: "MlflowClient", run_id: str, model_id: str, metrics: Mapping[str, float]) -> None:
    """Log metrics of a run, which are those of its model too: MLflow ranks and filters models by theirs."""
    from mlflow.entities import Metric

    at = int(time.time() * 1000)
    entries = [Metric(key, float(value), at, 0, model_id=model_id) for key, value in metrics.items()]
    for start in range(0, len(entries), METRICS_PER_CALL):
        client.log_batch(run_id, metrics=entries[start : start + METRICS_PER_CALL])


def register(
    client: "MlflowClient", name: str, run_id: str, model_id: str, tags: Mapping[str, str], description: str = ""
) -> int:
    """Register a logged model, and return the number of the new version. Raises MlflowException."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = client.create_model_version(
        name,
        source=f"models:/{model_id}",
        run_id=run_id,
        tags=dict(tags),
        model_id=model_id,
        description=description or None,
    )
    return int(version.version)
