"""The integrity checks that a file must pass before it may serve. They are never skipped, not even with `force`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mlops.domain.manifest import Manifest
from mlops.domain.transition import GateResult
from mlops.inference.model import ModelRefused
from mlops.settings import Settings
from promotion.examination import Examined, Limits
from promotion.serving_store import ModelFile


@dataclass(frozen=True)
class GateSettings(Settings):
    """`metric_margin`: by how much accuracy may fall behind Production's. `max_model_bytes`: the file's size.
    `max_latency_ms`: what one prediction may take, the median of 20. `allow_control_flow`: whether a model may use
    If, Loop and Scan. `predict_memory_mb`: the memory of the predict function, MiB. The first four are parameters of
    the template, with its defaults."""

    metric_margin: float = 0.01
    max_model_bytes: int = 100_000_000
    max_latency_ms: float = 50.0
    allow_control_flow: bool = False
    predict_memory_mb: int = 1769

    @property
    def limits(self) -> Limits:
        """Those of an examination."""
        return Limits(self.predict_memory_mb, self.allow_control_flow)


@dataclass(frozen=True)
class Integrity:
    """The results of the checks, and the manifest to serve the file by; None if a check failed before it was made."""

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
) -> Integrity:
    """Check size, hash, whether predict can serve the file, and latency; the first that fails ends the list.

    Args:
        model: The file.
        expected: The SHA-256 that it has to have, if one is known.
        examine: Has the file loaded and asked as predict does; raises ModelRefused.
        settings: The limits.
        remark: A sentence to add to the result of the hash.
    """
    digest = f"the file's is {model.sha256}"
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
    about = f"{manifest.input.features} features, {manifest.output.classes} classes; answered as predict does"
    latency = f"{examined.latency_ms:.3f} ms of at most {settings.max_latency_ms}"
    return Integrity(
        (
            *results,
            GateResult("serves", True, about),
            GateResult("latency", examined.latency_ms <= settings.max_latency_ms, latency),
        ),
        manifest,
    )
