"""The folder of an MLflow model: MLmodel, model.onnx, and the environment that pyfunc would need.

It is what `mlflow.onnx.save_model` writes, without conda's file. That function looks at each file of each installed
package to warn of packages that are missing, which takes more than a second, and serialises the model once more: here
the file keeps its hash. MLflow is imported when a folder is written.
"""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_contract import Contract
from mlops_contract.signature import signature_columns

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models.signature import ModelSignature
    from mlflow.types import Schema

MODEL_FILE = "model.onnx"
ENVIRONMENT_FILE = "python_env.yaml"
EXAMPLE_FILE = "input_example.json"


@dataclass(frozen=True)
class Shape:
    """What a model takes and gives.

    Attributes:
        contract: The columns of a table; None for one tensor.
        features: The number of values in the tensor `input`.
        outputs: The number of classes, or 1 for a quantity.
        output: The name of the output: `probabilities` or `prediction`.
        input: The name of the tensor.
    """

    contract: Contract | None
    features: int
    outputs: int
    output: str
    input: str = "inputs"


def save(
    path: Path,
    content: bytes,
    shape: Shape,
    run_id: str,
    logged: "LoggedModel",
    metadata: Mapping[str, str],
    example: Sequence[Any] = (),
) -> None:
    """Write the folder.

    Args:
        path: The folder, which does not exist yet.
        content: The ONNX file, which is written as it is: its hash is logged.
        shape: Gives the signature its sizes.
        run_id: The run that made the model.
        logged: The model that MLflow keeps the folder for.
        metadata: What MLmodel says of the model.
        example: Rows as callers send them: objects by column, or lists of numbers.
    """
    import mlflow
    import onnx
    import onnxruntime
    from mlflow.models import Model

    model = Model(
        artifact_path=logged.artifact_location,
        run_id=run_id,
        signature=_signature(shape),
        model_uuid=logged.model_id,
        metadata=dict(metadata),
        model_size_bytes=len(content),
        model_id=logged.model_id,
        saved_input_example_info=_example_info(shape) if example else None,
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
    if example:
        (path / EXAMPLE_FILE).write_text(json.dumps(_example(shape, example)))
    requirements = [f"{package.__name__}=={package.__version__}" for package in (mlflow, onnx, onnxruntime)]
    (path / "requirements.txt").write_text("\n".join(requirements) + "\n")
    # Written as JSON, which is YAML too.
    environment_document = {"python": python, "build_dependencies": [], "dependencies": ["-r requirements.txt"]}
    (path / ENVIRONMENT_FILE).write_text(json.dumps(environment_document, indent=1))
    model.save(str(path / "MLmodel"))


def _signature(shape: Shape) -> "ModelSignature":
    """Return MLflow's signature: the named columns of a table, else the tensor."""
    import numpy as np
    from mlflow.models.signature import ModelSignature
    from mlflow.types import Schema, TensorSpec

    output = TensorSpec(np.dtype(np.float32), (-1, shape.outputs), shape.output)
    if shape.contract is not None:
        return ModelSignature(_columns(shape.contract), Schema([output]))
    tensor = TensorSpec(np.dtype(np.float32), (-1, shape.features), shape.input)
    return ModelSignature(Schema([tensor]), Schema([output]))


def _columns(contract: Contract) -> "Schema":
    """Return the contract's columns."""
    from mlflow.types import ColSpec, Schema

    return Schema([ColSpec(**column) for column in signature_columns(contract)])


def _example_info(shape: Shape) -> dict[str, str]:
    """Return what MLmodel says of the example, so that `load_input_example` reads it."""
    if shape.contract is None:
        return {"artifact_path": EXAMPLE_FILE, "type": "ndarray"}
    return {"artifact_path": EXAMPLE_FILE, "type": "dataframe", "pandas_orient": "split"}


def _example(shape: Shape, rows: Sequence[Any]) -> dict[str, Any]:
    if shape.contract is None:
        return {"inputs": list(rows)}
    names = [column.name for column in shape.contract.columns]
    return {"columns": names, "data": [[row[name] for name in names] for row in rows]}
