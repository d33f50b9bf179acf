"""The integrity checks that a file must pass before it may serve. They are never skipped, not even with `force`."""

import base64
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mlops.domain.transition import GateResult
from mlops.settings import Settings
from promotion.serving_store import ModelFile

DEFAULT_TOLERANCE = 1e-4
TIMED_RUNS = 20
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class GateSettings(Settings):
    """`metric_margin`: by how much accuracy may fall behind Production's. `max_model_bytes`: the file's size.
    `max_latency_ms`: what one prediction may take, the median of 20. Parameters of the template, with its defaults."""

    metric_margin: float = 0.01
    max_model_bytes: int = 100_000_000
    max_latency_ms: float = 50.0


def passed(results: Iterable[GateResult]) -> bool:
    return all(result.passed for result in results)


def check_integrity(
    model: ModelFile, expected: str | None, settings: GateSettings, remark: str | None = None
) -> list[GateResult]:
    """Size, hash, loading, shape, self-test and latency of an ONNX file; the first that fails ends the list.

    Args:
        model: The file.
        expected: The SHA-256 that it has to have, if one is known.
        settings: The limits.
        remark: A sentence to add to the result of the hash.
    """
    digest = f"the file's is {model.sha256}"
    if expected not in (None, model.sha256):
        digest += f", and {expected} was registered: register the file as a new version"
    results = [
        _result(
            "size", model.size <= settings.max_model_bytes, f"{model.size} of at most {settings.max_model_bytes} bytes"
        ),
        _result("sha256", expected in (None, model.sha256), f"{digest}; {remark}" if remark else digest),
    ]
    if not passed(results):
        return results
    try:
        session = load(model)
    except Exception as error:  # onnxruntime raises many types of its own for a file that it cannot load
        reason = str(error).splitlines()[0][:200]
        return [*results, _result("loads", False, f"onnxruntime {onnxruntime.__version__} cannot serve it: {reason}")]
    results.append(_result("loads", True, f"{model.input.features} features, {model.output.classes} classes"))
    results.append(_self_test(session, model))
    if passed(results):
        results.append(_latency(session, model, settings))
    return results


def load(model: ModelFile) -> onnxruntime.InferenceSession:
    """A session of the model, which `model` is described from. Raises what onnxruntime does, and ValueError."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.data, options, providers=["CPUExecutionProvider"])
    model.describe(session)
    return session


def _self_test(session: onnxruntime.InferenceSession, model: ModelFile) -> GateResult:
    """The file answers, on the reference sample, what training saw it answer."""
    if model.self_test is None:
        probabilities = _run(session, model, np.zeros((1, model.input.features), np.float32))
        is_finite = bool(np.isfinite(probabilities).all())
        return _result("self_test", is_finite, "no reference sample; probabilities are finite")
    count = int(model.self_test["count"])
    inputs = _floats(model.self_test["inputs"]).reshape(count, model.input.features)
    expected = _floats(model.self_test["probabilities"]).reshape(count, model.output.classes)
    tolerance = float(model.self_test.get("tolerance", DEFAULT_TOLERANCE))
    difference = float(np.abs(_run(session, model, inputs) - expected).max())
    return _result("self_test", difference <= tolerance, f"largest difference {difference:.2g} on {count} samples")


def _latency(session: onnxruntime.InferenceSession, model: ModelFile, settings: GateSettings) -> GateResult:
    sample = np.zeros((1, model.input.features), np.float32)
    took = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        _run(session, model, sample)
        took.append((time.perf_counter() - start) * 1000)
    median = float(np.median(took))
    return _result(
        "latency", median <= settings.max_latency_ms, f"{median:.3f} ms of at most {settings.max_latency_ms}"
    )


def _run(session: onnxruntime.InferenceSession, model: ModelFile, inputs: Floats) -> Floats:
    outputs: Floats = session.run([model.output.name], {model.input.name: inputs})[0]
    return outputs


def _floats(text: str) -> Floats:
    return np.frombuffer(base64.b64decode(text), "<f4")


def _result(check: str, passed: bool, detail: str) -> GateResult:
    return GateResult(check, bool(passed), detail)
