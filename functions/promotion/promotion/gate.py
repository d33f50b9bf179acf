"""The integrity checks of a file. They are never skipped, not even with `force`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from mlops.domain.manifest import Manifest
from mlops.domain.model_settings import ModelSettings
from mlops.domain.transition import GateResult
from mlops.inference.model import ModelRefused
from mlops.settings import Settings
from mlops_contract.onnx_file import ModelFile
from promotion.examination import Examined, Limits
from promotion.explanation import explanation_result
from promotion.proof import proof_result


@dataclass(frozen=True)
class GateSettings(Settings):
    """The limits of the gate. All except `predict_memory_mb` are parameters of the template, with the same defaults.

    Attributes:
        metric_margin: How much worse the objective may be than that of the version in Production: the difference, for
            metrics whose best value is 1, such as accuracy; a share of Production's value for others, such as rmse.
        max_model_bytes: Largest size of the file.
        max_latency_ms: Longest time of one prediction (the median of 20).
        allow_control_flow: Whether a model may use the operators If, Loop and Scan.
        proof_tolerance: The share of the rows of a version's proof that may be answered otherwise than by the model
            that its file was made from.
        min_live_accuracy: Share of the labels of a version's own predictions that must be right; 0 asks for none.
        feedback_min_labels: With fewer labels a version's live accuracy is not judged.
        predict_memory_mb: Memory of the function predict in MiB.
    """

    metric_margin: float = 0.01
    max_model_bytes: int = 500_000_000
    max_latency_ms: float = 50.0
    allow_control_flow: bool = False
    proof_tolerance: float = 0.001
    min_live_accuracy: float = 0.0
    feedback_min_labels: int = 100
    predict_memory_mb: int = 1769

    def of(self, model: ModelSettings) -> "GateSettings":
        """Return the limits, with those that the model's settings have."""
        own = model.gate.model_dump(exclude_none=True)
        if model.labels.min_labels is not None:
            own["feedback_min_labels"] = model.labels.min_labels
        return replace(self, **own)

    @property
    def limits(self) -> Limits:
        """Those of an examination."""
        return Limits(self.predict_memory_mb, self.allow_control_flow)


@dataclass(frozen=True)
class Integrity:
    """The results of the checks, and the file's manifest; None if a check failed before it was written."""

    results: tuple[GateResult, ...]
    manifest: Manifest | None = None


def passed(results: Iterable[GateResult]) -> bool:
    return all(result.passed for result in results)


def check_integrity(
    model: ModelFile,
    expected: str | None,
    examine: Callable[[], Examined],
    settings: GateSettings,
    remark: str | None = None,
    *,
    admitted: bool = False,
) -> Integrity:
    """Check size, hash, whether predict can serve the file, latency, proof and explanations.

    If size or hash is wrong, the file is not loaded.

    Args:
        model: The file.
        expected: The SHA-256 that the file has to have, if it is known.
        examine: Loads the file as predict does and asks it for predictions. Raises ModelRefused.
        settings: The limits.
        remark: A sentence to add to the result of the hash.
        admitted: Whether the version was admitted before.
    """
    digest = f"the file has {model.sha256}"
    if expected not in (None, model.sha256):
        digest += f", and {expected} was registered: register the file as a new version"
    results = (
        GateResult(
            "size", model.size <= settings.max_model_bytes, f"{model.size} of at most {settings.max_model_bytes} bytes"
        ),
        GateResult("sha256", expected in (None, model.sha256), f"{digest}; {remark}" if remark else digest),
    )
    if not passed(results):
        return Integrity(results)
    try:
        examined = examine()
    except ModelRefused as refused:
        return Integrity((*results, GateResult("serves", False, str(refused))))
    manifest = examined.manifest
    about = f"{_size(manifest)}; loaded and asked as by predict"
    latency = f"{examined.latency_ms:.3f} ms of at most {settings.max_latency_ms}"
    return Integrity(
        (
            *results,
            GateResult("serves", True, about),
            GateResult("latency", examined.latency_ms <= settings.max_latency_ms, latency),
            proof_result(examined.proof, settings.proof_tolerance, admitted=admitted),
            explanation_result(manifest.explanations, examined.unexplained, admitted=admitted),
        ),
        manifest,
    )


def _size(manifest: Manifest) -> str:
    inputs = "no inputs"
    if manifest.contract is not None:
        inputs = f"{len(manifest.contract.columns)} columns"
    elif manifest.input is not None:
        inputs = f"{manifest.input.features} features"
    return f"{inputs}, {'a quantity' if manifest.predicts_quantity else f'{manifest.output.classes} classes'}"
