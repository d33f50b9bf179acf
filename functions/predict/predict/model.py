"""A loaded model: an onnxruntime session that has passed its self-test, with its manifest."""

import base64
import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime

from mlops.domain.manifest import Manifest
from predict.onnxfile import NotOnnx, has_external_data
from predict.signals import Signals

DEFAULT_TOLERANCE = 1e-4


class ModelRefused(Exception):
    """The file must not serve. The message says why, and may be logged."""


@dataclass(frozen=True)
class Model:
    """A model that answers requests. Immutable, so a request is answered by one version throughout."""

    manifest: Manifest
    session: onnxruntime.InferenceSession
    signals: Signals | None  # None for models whose inputs are not images
    serial: int = field(default_factory=itertools.count(1).__next__)
    """Identifies this model in this process; the same file under another manifest is another model."""

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Compute float32 `[n, classes]` from float32 `[n, features]`."""
        probabilities: np.ndarray = self.session.run([self.manifest.output.name], {self.manifest.input.name: inputs})[0]
        return probabilities


def load(manifest: Manifest, data: bytes) -> Model:
    """Load a model from its ONNX file and test it.

    Raises:
        ModelRefused: the file is not ONNX, refers to other files, does not fit the manifest, or fails the self-test.
    """
    try:
        external = has_external_data(data)
    except NotOnnx as error:
        raise ModelRefused(f"the file is not ONNX: {error}") from error
    if external:
        raise ModelRefused("the file keeps tensors in other files (external data)")
    try:
        session = onnxruntime.InferenceSession(data, _options(), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen unrelated types
        raise ModelRefused(f"onnxruntime does not load the file ({type(error).__name__})") from error
    return proved(manifest, session)


def proved(manifest: Manifest, session: onnxruntime.InferenceSession) -> Model:
    """Test that a session fits the manifest, and make a model of the two.

    Raises:
        ModelRefused: the inputs or outputs are not the manifest's, or the self-test fails.
    """
    try:
        _check_signature(session, manifest)
        signals = Signals(manifest.input.image) if manifest.input.image else None
        model = Model(manifest, session, signals)
        _self_test(model)
    except ModelRefused:
        raise
    except Exception as error:  # an ill-typed manifest field, or onnxruntime failing on the test's own inputs
        raise ModelRefused(f"its self-test does not run ({type(error).__name__})") from error
    return model


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # One request at a time on a fraction of a processor: more threads would only wait for each other.
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
        raise ModelRefused(f"its input is {source.type} {source.shape}, not float32 [n, {manifest.input.features}]")
    if isinstance(source.shape[1], int) and source.shape[1] != manifest.input.features:
        raise ModelRefused(f"its input has {source.shape[1]} features, the manifest {manifest.input.features}")
    outputs = {entry.name: entry for entry in session.get_outputs()}
    if manifest.output.name not in outputs:
        raise ModelRefused(f"it has no output {manifest.output.name!r}")
    if outputs[manifest.output.name].type != "tensor(float)":
        raise ModelRefused(f"its output is {outputs[manifest.output.name].type}, not float32")


def _self_test(model: Model) -> None:
    """Check shape and finiteness with two rows of zeros, then the exporter's own answers if the manifest has them."""
    features, classes = model.manifest.input.features, model.manifest.output.classes
    answers = model.probabilities(np.zeros((2, features), np.float32))
    if answers.shape != (2, classes) or not np.isfinite(answers).all():
        raise ModelRefused(f"it answers {answers.shape} instead of finite float32 (2, {classes})")
    test = model.manifest.self_test
    if test is None:
        return
    answers = model.probabilities(_array(test, "inputs", features))
    worst = float(np.abs(answers - _array(test, "probabilities", classes)).max(initial=0.0))
    if not worst <= float(test.get("tolerance", DEFAULT_TOLERANCE)):
        raise ModelRefused(f"its self-test is off by {worst:.3g}")


def _array(test: dict[str, Any], name: str, columns: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(test[name]), "<f4").reshape(-1, columns)
