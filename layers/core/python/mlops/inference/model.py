"""A loaded model: an onnxruntime session that fits its manifest and has passed its self-test."""

import base64
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from mlops.domain.manifest import Manifest, ManifestError, ModelInput, ModelOutput, check_description
from mlops.inference import onnx_file

TOLERANCE = 1e-4
"""Largest difference, in probability, of an answer from that in the exporter's self-test."""
SUM_TOLERANCE = 1e-3
"""How much the sum of a row's probabilities may differ from 1, and one of them exceed 1, because of rounding."""
METADATA_KEY = "mlops"

# Not numpy.typing.NDArray, whose import predict would pay for at each cold start.
Floats = np.ndarray[Any, np.dtype[np.float32]]


class ModelRefused(Exception):
    """The file cannot be served. The message says why, and may be logged."""


@dataclass(frozen=True)
class Description:
    """The description in a model's file, which its manifest repeats."""

    input: ModelInput
    output: ModelOutput
    labels: tuple[int | str, ...]
    self_test: dict[str, Any] | None
    reference: dict[str, Any] | None


@dataclass(frozen=True)
class Model:
    """A model that answers requests. It is immutable, so a request is answered from one version."""

    manifest: Manifest
    session: onnxruntime.InferenceSession

    def probabilities(self, inputs: Floats) -> Floats:
        """Return float32 `[n, classes]` for inputs float32 `[n, features]`."""
        answers: Floats = self.session.run([self.manifest.output.name], {self.manifest.input.name: inputs})[0]
        return answers


def open_session(data: bytes, *, control_flow: bool = True) -> onnxruntime.InferenceSession:
    """Load an ONNX file.

    Args:
        data: The file.
        control_flow: Whether the operators If, Loop and Scan are allowed.

    Raises:
        ModelRefused: The file is not ONNX, has external data, uses a forbidden operator, or onnxruntime cannot load it.
    """
    try:
        contents = onnx_file.contents(data)
    except onnx_file.NotOnnx as error:
        raise ModelRefused(f"the file is not ONNX: {error}") from error
    if contents.external_data:
        raise ModelRefused(
            "the file has tensors in other files (external data); log it as one file: "
            "mlflow.onnx.log_model(…, save_as_external_data=False)"
        )
    if contents.control_flow and not control_flow:
        raise ModelRefused(
            f"it uses {', '.join(sorted(contents.control_flow))}, whose time depends on the input; export it without "
            "control flow, or set the parameter AllowControlFlow to true"
        )
    try:
        # Without the fallback, which is a second try on the same processor, announced on the standard output.
        return onnxruntime.InferenceSession(data, _options(), providers=["CPUExecutionProvider"], enable_fallback=False)
    except Exception as error:  # onnxruntime raises a dozen unrelated types
        raise ModelRefused(
            f"onnxruntime {onnxruntime.__version__} does not load the file ({brief(error)}); export it again for this "
            "version, with a lower opset (target_opset, opset_version) or other operators"
        ) from error


def describe(session: onnxruntime.InferenceSession) -> Description:
    """Read inputs, outputs and metadata of a loaded file.

    Raises:
        ModelRefused: It does not have one float input `[n, features]` and class probabilities `[n, classes]`, or its
        metadata is not valid in a manifest.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 2:
        raise ModelRefused(
            "the model must have one input, float32 [n, features]; this one has "
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
    try:
        metadata = json.loads(session.get_modelmeta().custom_metadata_map.get(METADATA_KEY, "{}"))
        image = metadata.get("image")
        description = Description(
            ModelInput(inputs[0].name, features, tuple(image) if image else None),
            ModelOutput(probabilities[0].name, classes),
            tuple(metadata.get("labels", range(classes))),
            metadata.get("self_test"),
            metadata.get("reference"),
        )
        check_description(
            description.input, description.output, description.labels, description.self_test, description.reference
        )
    except ManifestError as error:
        raise ModelRefused(f"its metadata {METADATA_KEY!r} does not fit: {error}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelRefused(f"its metadata {METADATA_KEY!r} is not a JSON object of the documented fields") from error
    return description


def load(manifest: Manifest, data: bytes) -> Model:
    """Load a model from its ONNX file, and run its self-test.

    Raises:
        ModelRefused: The file is not ONNX or has external data, inputs or outputs differ from the manifest, or the
        self-test fails.
    """
    return proved(manifest, open_session(data))


def proved(manifest: Manifest, session: onnxruntime.InferenceSession) -> Model:
    """Return the model of a session and a manifest, after checking that they fit and running the self-test.

    Raises:
        ModelRefused: Inputs or outputs differ from the manifest, or the self-test fails.
    """
    model = Model(manifest, session)
    try:
        _check_signature(session, manifest)
        _self_test(model)
    except ModelRefused:
        raise
    except Exception as error:  # a manifest field of a wrong type, or onnxruntime fails on the test's inputs
        raise ModelRefused(f"its self-test does not run ({brief(error)})") from error
    return model


def brief(error: Exception) -> str:
    """Return the type of an error and the first line of its message: onnxruntime's may have hundreds."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}"


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # One request at a time on a fraction of a processor: more threads would only wait for each other.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # The arena never releases memory, so one batch of 100 or one change of model would keep its memory.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return options


def _check_signature(session: onnxruntime.InferenceSession, manifest: Manifest) -> None:
    inputs = session.get_inputs()
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
    features, classes = model.manifest.input.features, model.manifest.output.classes
    answers = model.probabilities(np.zeros((2, features), np.float32))
    if answers.shape != (2, classes) or not np.isfinite(answers).all():
        raise ModelRefused(f"it answers two rows with {answers.shape}; expected finite float32 (2, {classes})")
    difference = self_test_difference(model)
    # A file may set its own tolerance here, as when it was admitted. The gate has one tolerance for all.
    if difference is not None and not difference <= float((model.manifest.self_test or {}).get("tolerance", TOLERANCE)):
        raise ModelRefused(f"its answers differ from its self-test by {difference:.3g}")


def self_test_difference(model: Model) -> float | None:
    """Return the largest difference of the model's answers from its exporter's; None without a reference sample."""
    test = model.manifest.self_test
    if test is None:
        return None
    answers = model.probabilities(_array(test, "inputs", model.manifest.input.features))
    expected = _array(test, "probabilities", model.manifest.output.classes)
    return float(np.abs(answers - expected).max(initial=0.0))


def _array(test: dict[str, Any], name: str, columns: int) -> Floats:
    return np.frombuffer(base64.b64decode(test[name]), "<f4").reshape(-1, columns)
