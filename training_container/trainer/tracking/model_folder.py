"""The folder of an MLflow model: MLmodel, model.onnx, and the environment that pyfunc would need.

It is what `mlflow.onnx.save_model` writes, without conda's file. That function looks at each file of each installed
package to warn of packages that are missing, which takes more than a second, and serialises the model once more.
"""

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_contract import ColumnType, Contract, Task
from trainer.data import Dataset

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models.signature import ModelSignature
    from mlflow.types import Schema

MODEL_FILE = "model.onnx"
ENVIRONMENT_FILE = "python_env.yaml"


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
    import mlflow
    import onnx
    import onnxruntime
    from mlflow.models import Model

    model = Model(
        artifact_path=logged.artifact_location,
        run_id=run_id,
        signature=_signature(dataset),
        model_uuid=logged.model_id,
        metadata=dict(metadata),
        model_size_bytes=len(content),
        model_id=logged.model_id,
    )
    python = platform.python_version()
    providers = ["CPUExecutionProvider"]
    model.add_flavor("onnx", onnx_version=onnx.__version__, data=MODEL_FILE, providers=providers)
    environment = {"virtualenv": ENVIRONMENT_FILE}
    model.add_flavor(
        "python_function", loader_module="mlflow.onnx", python_version=python, data=MODEL_FILE, env=environment
    )
    path.mkdir()
    (path / MODEL_FILE).write_bytes(content)
    requirements = [f"{package.__name__}=={package.__version__}" for package in (mlflow, onnx, onnxruntime)]
    (path / "requirements.txt").write_text("\n".join(requirements) + "\n")
    # Written as JSON, which is YAML too.
    environment_document = {"python": python, "build_dependencies": [], "dependencies": ["-r requirements.txt"]}
    (path / ENVIRONMENT_FILE).write_text(json.dumps(environment_document, indent=1))
    model.save(str(path / "MLmodel"))


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
