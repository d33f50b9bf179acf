"""GET /models/{name}/contract: what a model takes and gives, with a request that it answers."""

from dataclasses import asdict
from typing import Any

import orjson

from mlops.domain.manifest import Manifest
from mlops_contract import Column, ColumnType, Contract, Task
from mlops_contract.decision import SECOND
from mlops_contract.signature import signature_columns
from predict.called import Call, Response
from predict.examples import example_of

_RANGED = (ColumnType.DOUBLE, ColumnType.LONG)


def contract(call: Call) -> Response:
    """Answer with the contract of the version that the query names, or of the one in Production."""
    manifest = call.chosen()[0].manifest
    described = manifest.contract
    return call.found(
        {
            "model_name": manifest.model_name,
            "model_version": manifest.model_version,
            "model_stage": manifest.stage,
            "sha256": manifest.sha256,
            "task": (described.task if described else Task.CLASSIFICATION).value,
            "target": described.target if described else None,
            "labels": manifest.labels,
            **_decision(manifest),
            "signature": _signature(manifest),
            "columns": contract_columns(described) if described else None,
            "input": asdict(manifest.input) if manifest.input else None,
            "example": example_of(manifest),
        }
    )


def _decision(manifest: Manifest) -> dict[str, Any]:
    """Return the field that says which class is answered from which probability on, if one is."""
    threshold = manifest.decision_threshold
    return {} if threshold is None else {"decision": {"label": manifest.labels[SECOND], "threshold": threshold}}


def _signature(manifest: Manifest) -> dict[str, Any]:
    """Return MLflow's signature, in which each part is JSON in a string."""
    if manifest.contract is not None:
        inputs = signature_columns(manifest.contract)
    else:
        assert manifest.input is not None
        inputs = [_tensor(manifest.input.name, manifest.input.features)]
    outputs = [_tensor(manifest.output.name, manifest.output.classes)]
    return {"inputs": _json(inputs), "outputs": _json(outputs), "params": None}


def _tensor(name: str, width: int) -> dict[str, Any]:
    return {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, width]}, "name": name}


def _json(document: Any) -> str:
    return orjson.dumps(document).decode()


def contract_columns(contract: Contract) -> list[dict[str, Any]]:
    """Return what each column takes."""
    return [
        {
            "name": column.name,
            "type": column.type.value,
            "required": not column.absent_ok,
            "proved": _proved(column),
            "levels": column.levels,
            "low": column.low,
            "high": column.high,
            "form": contract.forms.get(column.name),
        }
        for column in contract.columns
    ]


def _proved(column: Column) -> list[str]:
    """Return what a column takes beyond the values of training."""
    beyond = "unseen" if column.type is ColumnType.STRING else "beyond" if column.type in _RANGED else None
    properties = {"null": column.null_ok, "absent": column.absent_ok, beyond: not column.closed}
    return [name for name, holds in properties.items() if name is not None and holds]
