"""A loaded model: an onnxruntime session that fits its manifest and has passed its self-test."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from mlops.domain.manifest import Manifest, ManifestError
from mlops.domain.manifest_fields import Fields
from mlops.domain.model_description import (
    Explanations,
    ModelInput,
    ModelOutput,
    check_description,
    contract_of,
    explanations_of,
)
from mlops_contract import Contract, Task
from mlops_contract.onnx_file import ModelFile
from mlops_contract.session import SUM_TOLERANCE as SUM_TOLERANCE
from mlops_contract.session import ModelRefused as ModelRefused
from mlops_contract.session import brief as brief
from mlops_contract.session import open_session as open_session

if TYPE_CHECKING:
    from mlops_contract.rows import RowEncoder

TOLERANCE = 1e-4
"""Largest difference, in probability, of an answer from that in the exporter's self-test."""
METADATA_KEY = "mlops"
_RUN_OPTIONS = onnxruntime.RunOptions()
"""The defaults. Without any, onnxruntime makes new ones for each run, which takes a microsecond."""

# Not numpy.typing.NDArray, whose import predict would pay for at each cold start.
Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Description:
    """The description in a model's file, which its manifest repeats, and the SHA-256 of its proof, if it has one."""

    input: ModelInput | None
    output: ModelOutput
    labels: tuple[int | str, ...]
    self_test: dict[str, Any] | None
    reference: dict[str, Any] | None
    contract: Contract | None = None
    proof_sha256: str | None = None
    explanations: Explanations | None = None
    column_reference: dict[str, Any] | None = None
    decision_threshold: float | None = None


@dataclass(frozen=True)
class Model:
    """A model that answers requests. It is immutable, so a request is answered from one version.

    Attributes:
        encoder: Converts rows to the inputs of a table model; None for a model of images or vectors.
    """

    manifest: Manifest
    session: onnxruntime.InferenceSession
    encoder: "RowEncoder | None" = None
    _run: "Callable[[Mapping[str, Any], onnxruntime.RunOptions], list[Floats]]" = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        # The session's own method compares the names of the inputs with the model's before each run, which takes a
        # fiftieth of a request. The gate has compared them.
        session = getattr(self.session, "_sess", self.session)
        object.__setattr__(self, "_run", partial(session.run, [self.manifest.output.name]))

    def probabilities(self, inputs: Floats) -> Floats:
        """Return float32 `[n, classes]` for inputs float32 `[n, features]`."""
        assert self.manifest.input is not None
        return self._run({self.manifest.input.name: inputs}, _RUN_OPTIONS)[0]

    def outputs(self, feeds: Mapping[str, Any]) -> Floats:
        """Return a table model's answers to encoded rows: float32 `[n, classes]`, or `[n, 1]` for a quantity."""
        return self._run(feeds, _RUN_OPTIONS)[0]


def describe(session: onnxruntime.InferenceSession) -> Description:
    """Read inputs, outputs and metadata of a loaded file.

    Raises:
        ModelRefused: It has neither one float input `[n, features]` and class probabilities `[n, classes]`, nor the
        inputs and the output of the contract in its metadata; or its metadata is not valid in a manifest.
    """
    try:
        metadata = json.loads(session.get_modelmeta().custom_metadata_map.get(METADATA_KEY, "{}"))
        contract = contract_of(metadata.get("contract"))
        if contract is not None:
            from mlops.inference.tables import output_of  # only for table models: predict starts without it

            model_input, output = None, output_of(session, contract)
        else:
            model_input, output = _shapes(session, metadata.get("image"), metadata.get("framing"))
        decided = Fields(metadata)
        regression = contract is not None and contract.task is Task.REGRESSION
        description = Description(
            model_input,
            output,
            tuple(metadata.get("labels", () if regression else range(output.classes))),
            metadata.get("self_test"),
            metadata.get("reference"),
            contract,
            (metadata.get("proof") or {}).get("sha256"),
            explanations_of(metadata.get("explain")),
            metadata.get("column_reference"),
            decided.number("decision_threshold") if decided.has("decision_threshold") else None,
        )
        check_description(
            description.input,
            description.output,
            description.labels,
            description.self_test,
            description.reference,
            description.contract,
            description.column_reference,
            description.decision_threshold,
        )
    except ManifestError as error:
        raise ModelRefused(f"its metadata {METADATA_KEY!r} does not fit: {error}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelRefused(f"its metadata {METADATA_KEY!r} is not a JSON object of the documented fields") from error
    return description


def _shapes(session: onnxruntime.InferenceSession, image: Any, framing: Any) -> tuple[ModelInput, ModelOutput]:
    """Return input and output of a model of images or vectors. Raises ModelRefused."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 2:
        raise ModelRefused(
            "the model must have one input, float32 [n, features], or a contract of named columns in its metadata; "
            "this one has "
            + (", ".join(f"{entry.name}: {entry.type} {entry.shape}" for entry in inputs) or "none")[:300]
        )
    probabilities = [out for out in outputs if out.type == "tensor(float)" and len(out.shape) == 2]
    if len(probabilities) != 1:
        raise ModelRefused(
            "the model must have one output of class probabilities, float32 [n, classes]; this one has "
            + (", ".join(f"{out.name}: {out.type} {out.shape}" for out in outputs) or "none")[:300]
            + "; export it with that output alone (skl2onnx: options={'zipmap': False})"
        )
    features, classes = inputs[0].shape[1], probabilities[0].shape[1]
    if not isinstance(features, int) or not isinstance(classes, int):
        raise ModelRefused("the model's numbers of features and classes must be fixed; only the batch size may vary")
    return (
        ModelInput(inputs[0].name, features, tuple(image) if image else None, framing),
        ModelOutput(probabilities[0].name, classes),
    )


def load(manifest: Manifest, file: ModelFile) -> Model:
    """Load a model from its ONNX file, and run its self-test.

    Raises:
        ModelRefused: The file is not ONNX or has external data, inputs or outputs differ from the manifest, or the
        self-test fails.
    """
    return proved(manifest, open_session(file))


def proved(manifest: Manifest, session: onnxruntime.InferenceSession) -> Model:
    """Return the model of a session and a manifest, after checking that they fit and running the self-test.

    Raises:
        ModelRefused: Inputs or outputs differ from the manifest, or the self-test fails.
    """
    try:
        model = Model(manifest, session, _encoder(manifest.contract))
        if manifest.contract is not None:
            from mlops.inference import tables

            tables.check_signature(session, manifest)
        else:
            _check_signature(session, manifest)
        _self_test(model)
    except ModelRefused:
        raise
    except Exception as error:  # a manifest field of a wrong type, or onnxruntime fails on the test's inputs
        raise ModelRefused(f"its self-test does not run ({brief(error)})") from error
    return model


def _encoder(contract: Contract | None) -> "RowEncoder | None":
    if contract is None:
        return None
    from mlops_contract.rows import RowEncoder

    return RowEncoder(contract)


def _check_signature(session: onnxruntime.InferenceSession, manifest: Manifest) -> None:
    inputs = session.get_inputs()
    assert manifest.input is not None
    if len(inputs) != 1 or inputs[0].name != manifest.input.name:
        raise ModelRefused(f"its inputs are {[entry.name for entry in inputs]}, not [{manifest.input.name!r}]")
    source = inputs[0]
    if source.type != "tensor(float)" or len(source.shape) != 2 or isinstance(source.shape[0], int):
        raise ModelRefused(
            f"its input is {source.type} {source.shape}, not float32 [n, {manifest.input.features}]; "
            "export it with a variable batch size (torch: dynamic_shapes or dynamic_axes)"
        )
    if isinstance(source.shape[1], int) and source.shape[1] != manifest.input.features:
        raise ModelRefused(f"its input has {source.shape[1]} features, and the manifest says {manifest.input.features}")
    outputs = {entry.name: entry for entry in session.get_outputs()}
    if manifest.output.name not in outputs:
        raise ModelRefused(f"it has no output {manifest.output.name!r}")
    if outputs[manifest.output.name].type != "tensor(float)":
        raise ModelRefused(f"its output is {outputs[manifest.output.name].type}, not float32")


def _self_test(model: Model) -> None:
    """Check shape and finiteness of the answers to two rows, then the exporter's reference sample, if there is one."""
    classes = model.manifest.output.classes
    answers = _answers_to_two_rows(model)
    if answers.shape != (2, classes) or not np.isfinite(answers).all():
        raise ModelRefused(f"it answers two rows with {answers.shape}; expected finite float32 (2, {classes})")
    difference = self_test_difference(model)
    # A file may set its own tolerance here, as when it was admitted. The gate has one tolerance for all.
    if difference is not None and not difference <= float((model.manifest.self_test or {}).get("tolerance", TOLERANCE)):
        raise ModelRefused(f"its answers differ from its self-test by {difference:.3g}")


def _answers_to_two_rows(model: Model) -> Floats:
    if model.encoder is not None:
        from mlops.inference.table_rows import plain_row

        return model.outputs(model.encoder.encode([plain_row(model.encoder.contract)] * 2).feeds)
    assert model.manifest.input is not None
    return model.probabilities(np.zeros((2, model.manifest.input.features), np.float32))


def self_test_difference(model: Model) -> float | None:
    """Return the largest difference of the model's answers from its exporter's; None without a reference sample.

    Of quantities it is the share of the largest one in the sample, as a quantity may have any unit.
    """
    test = model.manifest.self_test
    if test is None:
        return None
    if model.encoder is not None:
        answers = model.outputs(model.encoder.encode(test["rows"]).feeds)
        expected = _array(test, "outputs", model.manifest.output.classes)
        if answers.shape != expected.shape:
            raise ModelRefused(f"its self-test has {len(expected)} answers for {len(answers)} rows")
    else:
        assert model.manifest.input is not None
        answers = model.probabilities(_array(test, "inputs", model.manifest.input.features))
        expected = _array(test, "probabilities", model.manifest.output.classes)
    largest = float(np.abs(expected).max(initial=0.0)) if model.manifest.predicts_quantity else 1.0
    return float(np.abs(answers - expected).max(initial=0.0)) / (largest or 1.0)


def _array(test: dict[str, Any], name: str, columns: int) -> Floats:
    return np.frombuffer(base64.b64decode(test[name]), "<f4").reshape(-1, columns)
