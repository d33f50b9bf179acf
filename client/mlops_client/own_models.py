"""Log a model that was made elsewhere: convert it, prove it, and register it as a version that can be promoted.

MLflow is the user's: it is imported on call, and gets the model where it is set up to send runs to.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_client.errors import BadInput, MlopsError
from mlops_client.extras import require

if TYPE_CHECKING:
    from mlops_conversion import Converted
    from mlops_conversion.mlflow_folder import Shape

PACKAGES = ("mlflow", "numpy", "onnx", "onnxruntime")
DIRECTIONS = {
    "accuracy": "maximise",
    "macro_f1": "maximise",
    "roc_auc": "maximise",
    "average_precision": "maximise",
    "r2": "maximise",
    "loss": "minimise",
    "rmse": "minimise",
    "mae": "minimise",
}
"""The metrics of the platform, and in which direction they are better, as its training jobs rank by them."""


def log_model(
    model: Any,
    data: Any,
    *,
    name: str,
    target: Any = None,
    task: str | None = None,
    labels: Sequence[int | str] | None = None,
    example: Any = None,
    objective: str | None = None,
    direction: str | None = None,
    metrics: Mapping[str, float] | None = None,
    decision_threshold: float | None = None,
    proof_seconds: float | None = None,
) -> int:
    """Convert and prove a model, log it to MLflow, and register it. Nothing is logged if it is not proved.

    It is logged in the active run of MLflow; without one, in a run of its own.

    Args:
        model: A fitted estimator or pipeline of scikit-learn, a model of XGBoost, LightGBM or CatBoost, or a torch
            module.
        data: Rows that training did not see, as the model takes them.
        name: The model in the registry.
        target: The true values of the rows. Without them nothing is measured, and the gate cannot compare the version.
        task: classification or regression, only where the model does not say it.
        labels: The classes, only where the model does not know them.
        example: A tensor to export a module with, if it does not take the first rows.
        objective: The metric that says how good the model is; by default accuracy, or rmse for a quantity.
        direction: maximise or minimise, for a metric of your own.
        metrics: Further metrics to log, such as one of your own.
        decision_threshold: Of two classes: the probability of the second one from which on it is the answer; by
            default the more probable class is, or the model's own threshold decides.
        proof_seconds: How long the proof may take, for models that answer slowly; 20 minutes by default.

    Returns:
        The version, for `Client().promote(…)` or `mlops promote`.

    Raises:
        BadInput: The model cannot be converted, or is not proved; or data, target or objective do not fit it.
        MlopsError: MLflow, numpy or ONNX is not installed.
    """
    require(PACKAGES, "log_model", "convert")
    from mlops_conversion import ConversionError, ProofTimeout, convert
    from mlops_conversion.limits import PROOF_SECONDS

    seconds = PROOF_SECONDS if proof_seconds is None else proof_seconds
    try:
        converted = convert(
            model,
            data,
            target=target,
            task=task,
            labels=labels,
            example=example,
            decision_threshold=decision_threshold,
            proof_seconds=seconds,
        )
    except ProofTimeout as error:
        raise BadInput(f"{error}. Give it more time with proof_seconds, or give fewer rows of data") from error
    except (ConversionError, ValueError) as error:
        raise BadInput(str(error)) from error
    measured = {**converted.metrics, **(metrics or {})}
    tags = _objective(converted, measured, objective, direction)
    return _logged(converted, measured, tags, type(model).__name__, name)


def _objective(
    converted: Converted, metrics: Mapping[str, float], objective: str | None, direction: str | None
) -> dict[str, str]:
    """Return the tags of the objective."""
    name = objective or ("rmse" if converted.task == "regression" else "accuracy")
    way = direction or DIRECTIONS.get(name)
    if way not in ("maximise", "minimise"):
        raise BadInput(f"objective {name!r} is a metric of your own: say direction='maximise' or direction='minimise'")
    if objective is not None and name not in metrics:
        known = ", ".join(metrics) or "none, as there is no target"
        raise BadInput(f"objective {name!r} was not measured (measured: {known}); give its value in metrics")
    return {"objective": name, "direction": way}


def _logged(
    converted: Converted, metrics: Mapping[str, float], objective: Mapping[str, str], kind: str, name: str
) -> int:
    import mlflow

    active = mlflow.active_run()
    if active is not None:
        return _log(converted, metrics, objective, kind, name, active.info.run_id)
    with mlflow.start_run() as run:
        return _log(converted, metrics, objective, kind, name, run.info.run_id)


def _log(
    converted: Converted,
    metrics: Mapping[str, float],
    objective: Mapping[str, str],
    kind: str,
    name: str,
    run_id: str,
) -> int:
    """Log the run's part, then the model, then the version: what comes later refers to what came before."""
    from mlflow import MlflowClient
    from mlflow.entities import RunTag
    from mlflow.exceptions import MlflowException

    from mlops_conversion import mlflow_log

    client = MlflowClient()
    task, digest = converted.task.value, converted.data_sha256
    tags = {f"mlops.{key}": value for key, value in {**objective, "task": task}.items()}
    tags |= {"mlops.sha256": converted.sha256, "mlops.dataset_digest": digest}
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), converted, metrics, kind, name)
        client.log_artifacts(run_id, folder)
    metadata = {"sha256": converted.sha256, "dataset": "data"}
    experiment = client.get_run(run_id).info.experiment_id
    model_id = mlflow_log.log(
        client, experiment, run_id, name, kind, converted.content, _shape(converted), metadata, converted.example
    )
    mlflow_log.measured(client, run_id, model_id, metrics)
    version_tags = {"stage": "Registered", "sha256": converted.sha256, "dataset_digest": digest, "task": task}
    try:
        return mlflow_log.register(
            client, name, run_id, model_id, {**version_tags, **objective}, f"A {kind} that its owners have trained."
        )
    except MlflowException as error:
        raise MlopsError(f"MLflow does not register the model {name!r}: {error}") from error


def _write(folder: Path, converted: Converted, metrics: Mapping[str, float], kind: str, name: str) -> None:
    """Write the artifacts of the run: what a training job writes of a table, but for the pictures."""
    from mlops_contract.explanations import EXPLAIN_FILE
    from mlops_contract.proof_rows import PROOF_FILE

    (folder / PROOF_FILE).write_bytes(converted.proof_rows)
    if converted.explanation is not None:
        (folder / EXPLAIN_FILE).write_bytes(converted.explanation)
    documents = {"proof.json": converted.proof, "profile.json": converted.profile}
    for file, document in documents.items():
        if document is not None:
            (folder / file).write_text(json.dumps(document, indent=1), encoding="utf-8")
    (folder / "model_card.md").write_text(_card(converted, metrics, kind, name), encoding="utf-8")


def _card(converted: Converted, metrics: Mapping[str, float], kind: str, name: str) -> str:
    if converted.contract is not None:
        inputs = f"rows of {len(converted.contract.columns)} columns"
    else:
        inputs = f"lists of {converted.features} numbers"
    predicts = f"distinguishes {len(converted.labels)} classes" if converted.labels else "predicts a quantity"
    lines = [f"# {name}", "", f"A {kind} that {predicts} from {inputs}. It was made elsewhere, and converted.", ""]
    lines += ["## Quality on the given rows", *[f"- {key} {value:.6g}" for key, value in metrics.items()], ""]
    lines += ["## Serving", f"- ONNX, {len(converted.content):,} bytes, SHA-256 `{converted.sha256}`"]
    return "\n".join([*lines, *[f"- {note}" for note in converted.notes]]) + "\n"


def _shape(converted: Converted) -> Shape:
    from mlops_contract.contract import NUMBERS, PREDICTION, PROBABILITIES
    from mlops_conversion.mlflow_folder import Shape

    quantity = converted.task == "regression"
    return Shape(
        converted.contract,
        converted.features or 0,
        1 if quantity else len(converted.labels),
        PREDICTION if quantity else PROBABILITIES,
        NUMBERS,
    )
