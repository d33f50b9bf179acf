"""The folder of an MLflow model: MLmodel, model.onnx, and the environment that pyfunc would need."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_contract import ColumnType, Contract, Task
from trainer.data import Dataset

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models.signature import ModelSignature
    from mlflow.types import Schema


def save(
    path: Path, content: bytes, dataset: Dataset, run_id: str, logged: "LoggedModel", metadata: Mapping[str, str]
) -> None:
    """Write the folder.

    Args:
        path: The folder, which does not exist yet.
        content: The ONNX file, which is written as it is: its hash is logged.
        dataset: Gives the signature its sizes.
        run_id: The run that trained the model.
        logged: The model that MLflow keeps the folder for.
        metadata: What MLmodel says of the model.
    """
    import mlflow.onnx
    import onnx
    import onnxruntime
    from mlflow.models import Model

    mlflow.onnx.save_model(
        onnx.load_from_string(content),
        str(path),
        mlflow_model=Model(
            artifact_path=logged.artifact_location, model_uuid=logged.model_id, run_id=run_id, model_id=logged.model_id
        ),
        signature=_signature(dataset),
        pip_requirements=[f"mlflow=={mlflow.__version__}", f"onnxruntime=={onnxruntime.__version__}"],
        metadata=dict(metadata),
        save_as_external_data=False,
    )
    # The very bytes whose hash is logged.
    (path / "model.onnx").write_bytes(content)


def _signature(dataset: Dataset) -> "ModelSignature":
    """Return MLflow's signature: the named columns of a table, else the tensor."""
    import numpy as np
    from mlflow.models.signature import ModelSignature
    from mlflow.types import Schema, TensorSpec

    quantity = dataset.task is Task.REGRESSION
    output = TensorSpec(
        np.dtype(np.float32), (-1, 1 if quantity else dataset.classes), "prediction" if quantity else "probabilities"
    )
    if dataset.contract is not None:
        return ModelSignature(_columns(dataset.contract), Schema([output]))
    return ModelSignature(
        Schema([TensorSpec(np.dtype(np.float32), (-1, dataset.features), "inputs")]), Schema([output])
    )


def _columns(contract: Contract) -> "Schema":
    """Return the contract's columns. MLflow has no missing whole numbers, so a nullable one is a double."""
    from mlflow.types import ColSpec, Schema

    return Schema(
        [
            ColSpec(
                "double" if column.type is ColumnType.LONG and column.null_ok else column.type.value,
                column.name,
                required=not (column.null_ok or column.absent_ok),
            )
            for column in contract.columns
        ]
    )
