"""Table models: whether an ONNX file has the inputs and the output that its contract says."""

from typing import Any

import onnxruntime

from mlops.domain.manifest import Manifest
from mlops.domain.model_description import ModelOutput
from mlops_contract import Contract, Task
from mlops_contract.contract import CATEGORIES, NUMBERS
from mlops_contract.session import ModelRefused

_MOST_SHOWN = 300


def output_of(session: onnxruntime.InferenceSession, contract: Contract) -> ModelOutput:
    """Return the output of a table model, after checking inputs and output.

    Raises:
        ModelRefused: They are not those of the contract.
    """
    expected = {
        name: (kind, width)
        for name, kind, width in (
            (NUMBERS, "tensor(float)", contract.numbers),
            (CATEGORIES, "tensor(string)", contract.categories),
        )
        if width
    }
    inputs = session.get_inputs()
    found = {entry.name: (entry.type, entry.shape[1]) for entry in inputs if len(entry.shape) == 2}
    if len(found) != len(inputs) or found != expected:
        due = ", ".join(f"{name}: {kind} [n, {width}]" for name, (kind, width) in expected.items())
        raise ModelRefused(f"its contract needs the inputs {due}; it has {_listed(inputs)}")
    outputs = {entry.name: entry for entry in session.get_outputs()}
    output = outputs.get(contract.output)
    classes = output.shape[1] if output is not None and len(output.shape) == 2 else None
    if output is None or output.type != "tensor(float)" or not isinstance(classes, int):
        width = "classes" if contract.task is Task.CLASSIFICATION else "1"
        raise ModelRefused(
            f"its contract needs the output {contract.output}: tensor(float) [n, {width}]; it has "
            f"{_listed(session.get_outputs())}"
        )
    if any(isinstance(entry.shape[0], int) for entry in (*inputs, output)):
        raise ModelRefused("its number of rows is fixed; export it with a variable batch size")
    return ModelOutput(output.name, classes)


def check_signature(session: onnxruntime.InferenceSession, manifest: Manifest) -> None:
    """Check that a session has the inputs and the output of its manifest. Raises ModelRefused."""
    assert manifest.contract is not None
    output = output_of(session, manifest.contract)
    if output != manifest.output:
        raise ModelRefused(f"its output has {output.classes} columns, and the manifest says {manifest.output.classes}")


def _listed(entries: Any) -> str:
    return (", ".join(f"{entry.name}: {entry.type} {entry.shape}" for entry in entries) or "none")[:_MOST_SHOWN]
