"""A loaded model: one onnxruntime session that fits its manifest and has answered its self-test."""

import base64
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from mlops.domain.manifest import Manifest, ManifestError, ModelInput, ModelOutput, check_description
from mlops.inference import onnx_file

TOLERANCE = 1e-4
"""How far an answer may lie from what the exporter's self-test says, in probability."""
SUM_TOLERANCE = 1e-3
"""How far the probabilities of a row may sum from 1, and one of them exceed it: the rounding of many float32."""
METADATA_KEY = "mlops"

# Not numpy.typing.NDArray, whose import predict would pay for at each cold start.
Floats = np.ndarray[Any, np.dtype[np.float32]]


class ModelRefused(Exception):
    """The file is not one to answer from; the message says why and may be logged."""


@dataclass(frozen=True)
class Description:
    """What a model's file says of itself, as its manifest repeats it."""

    input: ModelInput
    output: ModelOutput
    labels: tuple[int | str, ...]
    self_test: dict[str, Any] | None
    reference: dict[str, Any] | None


@dataclass(frozen=True)
class Model:
    """What answers requests. Immutable, so whoever holds one answers from one version throughout."""

    manifest: Manifest
    session: onnxruntime.InferenceSession

    def probabilities(self, inputs: Floats) -> Floats:
        """float32 `[n, features]` → float32 `[n, classes]`."""
        answers: Floats = self.session.run([self.manifest.output.name], {self.manifest.input.name: inputs})[0]
        return answers


def open_session(data: bytes) -> onnxruntime.InferenceSession:
    """Load an ONNX file.

    Raises:
        ModelRefused: not ONNX, external data, or nothing that onnxruntime loads.
    """
    try:
        external = onnx_file.contents(data).external_data
    except onnx_file.NotOnnx as error:
        raise ModelRefused(f"the file is not ONNX: {error}") from error
    if external:
        raise ModelRefused(
            "the file keeps tensors in other files (external data); log it as one file: "
            "mlflow.onnx.log_model(…, save_as_external_data=False)"
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
    """Read inputs, outputs and metadata off a loaded file.

    Raises:
        ModelRefused: it does not have one float input `[n, features]` and class probabilities `[n, classes]`, or its
            metadata is not what a manifest may say.
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
        raise ModelRefused("the model's numbers of features and classes must be fixed; only the batch is free")
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
    """A model from its ONNX file, after it has answered the self-test.

    Raises:
        ModelRefused: not ONNX, external data, other inputs or outputs than the manifest's, or a wrong self-test.
    """
    return proved(manifest, open_session(data))


def proved(manifest: Manifest, session: onnxruntime.InferenceSession) -> Model:
    """`session` under `manifest`, once the two are shown to belong together.

    Raises:
        ModelRefused: other inputs or outputs than the manifest's, or a wrong self-test.
    """
    model = Model(manifest, session)
    try:
        _check_signature(session, manifest)
        _self_test(model)
    except ModelRefused:
        raise
    except Exception as error:  # an ill-typed manifest field, or onnxruntime failing on the test's own inputs
        raise ModelRefused(f"its self-test does not run ({brief(error)})") from error
    return model


def brief(error: Exception) -> str:
    """Return the type of an error and the first line of its message: onnxruntime's may have hundreds."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}"


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # One request at a time on a fraction of a processor: more threads only wait for one another.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # The arena never gives memory back, so one batch of 100 or one swap would stay in the resident size for good.
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
            "export it with a free batch (torch: dynamic_shapes or dynamic_axes)"
        )
    if isinstance(source.shape[1], int) and source.shape[1] != manifest.input.features:
        raise ModelRefused(f"its input has {source.shape[1]} features, the manifest {manifest.input.features}")
    outputs = {entry.name: entry for entry in session.get_outputs()}
    if manifest.output.name not in outputs:
        raise ModelRefused(f"it has no output {manifest.output.name!r}")
    if outputs[manifest.output.name].type != "tensor(float)":
        raise ModelRefused(f"its output is {outputs[manifest.output.name].type}, not float32")


def _self_test(model: Model) -> None:
    """Two rows first, whatever the manifest carries: shape and finiteness. Then the exporter's own answers."""
    features, classes = model.manifest.input.features, model.manifest.output.classes
    answers = model.probabilities(np.zeros((2, features), np.float32))
    if answers.shape != (2, classes) or not np.isfinite(answers).all():
        raise ModelRefused(f"it answers two rows with {answers.shape} where finite float32 (2, {classes}) is due")
    difference = self_test_difference(model)
    # A file that sets its own tolerance is held to it here, as it was when it was admitted; the gate knows one only.
    if difference is not None and not difference <= float((model.manifest.self_test or {}).get("tolerance", TOLERANCE)):
        raise ModelRefused(f"its self-test is off by {difference:.3g}")


def self_test_difference(model: Model) -> float | None:
    """How far the model's answers lie from those of its exporter, at most; None without a reference sample."""
    test = model.manifest.self_test
    if test is None:
        return None
    answers = model.probabilities(_array(test, "inputs", model.manifest.input.features))
    expected = _array(test, "probabilities", model.manifest.output.classes)
    return float(np.abs(answers - expected).max(initial=0.0))


def _array(test: dict[str, Any], name: str, columns: int) -> Floats:
    return np.frombuffer(base64.b64decode(test[name]), "<f4").reshape(-1, columns)
