"""Examine a file as predict would use it: write and read its manifest, load the model, and ask it for predictions.

`examine` does this in the calling process. `examine_apart` does it in a child process (`promotion.examiner`) with
limits on memory and time, so a file that needs too much of either is refused and harms nothing else.
"""

import hashlib
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Protocol

import numpy as np

from mlops.domain.examination import GATE_REVISION
from mlops.domain.manifest import MAX_MANIFEST_BYTES, Manifest, ManifestError, model_key
from mlops.domain.stages import Stage
from mlops.domain.timestamps import now
from mlops.inference import trial
from mlops.inference.model import Description, Model, ModelRefused, describe, open_session, proved
from mlops.inference.table_rows import plain_row
from mlops_contract.onnx_file import ModelFile
from promotion.explanation import explained
from promotion.proof import Reasked, reask

EXAMINATION_SECONDS = 25.0
"""Half of promotion's timeout, and more than a model needs that answers within milliseconds."""
TIMED_RUNS = 20


@dataclass(frozen=True)
class Placement:
    """The version, its stage, and the fields of its manifest that are not in the file."""

    model_name: str
    version: int
    stage: Stage
    run_id: str
    metrics: dict[str, float]
    transition_id: str


@dataclass(frozen=True)
class Limits:
    """The limits of an examination.

    Attributes:
        memory_mb: Predict's memory in MiB. Two models have to fit, because predict loads one before it drops the other.
        control_flow: Whether the operators If, Loop and Scan are allowed.
        seconds: Time limit of the child process.
    """

    memory_mb: int
    control_flow: bool = False
    seconds: float = EXAMINATION_SECONDS


@dataclass(frozen=True)
class Beside:
    """The files beside a model's.

    Attributes:
        proof: The rows of its proof, if there are any.
        explanation: What explains its answers, if anything does.
        published: What was published to explain them, unless it is the same.
    """

    proof: bytes | None = None
    explanation: bytes | None = None
    published: bytes | None = None

    def explaining(self, sha256: str) -> bytes | None:
        """Return what has this hash of what may explain the file's answers; else any of it, to say what is wrong."""
        found = [data for data in (self.explanation, self.published) if data is not None]
        right = (data for data in found if hashlib.sha256(data).hexdigest() == sha256)
        return next(right, found[0] if found else None)


@dataclass(frozen=True)
class Examined:
    """A file that predict can serve.

    Attributes:
        manifest: Its manifest.
        latency_ms: The median time of one prediction in milliseconds.
        proof: How it answers the rows of its proof; None if it has no proof.
        unexplained: What is wrong with the file that its own says explains it, or "".
    """

    manifest: Manifest
    latency_ms: float
    proof: Reasked | None = None
    unexplained: str = ""

    def without_rows(self, deleted: str) -> "Examined":
        """Return the same of a version whose rows were deleted; `deleted` says by whom and when."""
        if self.proof is None:
            return self
        return replace(self, proof=Reasked(problem=f"the rows of its proof were deleted with their data set {deleted}"))


NOTHING_BESIDE = Beside()


class Examine(Protocol):
    """`examine`, here or elsewhere."""

    def __call__(
        self, file: ModelFile, placement: Placement, limits: Limits, beside: Beside = NOTHING_BESIDE
    ) -> Examined: ...


def examine(file: ModelFile, placement: Placement, limits: Limits, beside: Beside = NOTHING_BESIDE) -> Examined:
    """Load the file as predict does, and ask it what callers may ask, the rows of its proof, and for explanations.

    Raises:
        ModelRefused: Predict could not serve it. The message says why.
    """
    session = open_session(file, control_flow=limits.control_flow)
    description = describe(session)
    manifest = _read_back(_manifest(placement, file, description))
    model = proved(manifest, session)
    trial.check(model)
    explanations, problem = explained(model, description.explanations, beside.explaining)
    return Examined(
        replace(manifest, explanations=explanations),
        _latency_ms(model),
        reask(model, description.proof_sha256, beside.proof),
        problem,
    )


def examine_apart(file: ModelFile, placement: Placement, limits: Limits, beside: Beside = NOTHING_BESIDE) -> Examined:
    """Run `examine` in a child process with limits.

    Raises:
        ModelRefused: Predict could not serve the file, or the examination exceeded the limits.
    """
    file.flush()
    request = json.dumps(
        {
            "placement": asdict(placement),
            "limits": asdict(limits),
            "file": {"descriptor": file.descriptor, "size": file.size, "sha256": file.sha256},
            "beside": {name: None if data is None else len(data) for name, data in vars(beside).items()},
        }
    ).encode()
    try:
        process = subprocess.run(
            [sys.executable, "-m", "promotion.examiner"],
            input=b"\n".join((request, b"".join(data or b"" for data in vars(beside).values()))),
            pass_fds=[file.descriptor],
            capture_output=True,
            timeout=limits.seconds,
            env=_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelRefused(f"it could not be examined within {limits.seconds:g} seconds") from error
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        raise ModelRefused(
            f"it ended the process that examined it ({name}); the model may need more memory than is allowed"
        )
    if process.returncode > 0:
        raise RuntimeError(f"the examiner failed: {process.stderr.decode(errors='replace')[-2000:]}")
    answer = json.loads(process.stdout)
    if answer["refusal"] is not None:
        raise ModelRefused(answer["refusal"])
    reasked = answer["proof"]
    return Examined(
        Manifest.from_json(answer["manifest"].encode()),
        answer["latency_ms"],
        None if reasked is None else Reasked(**reasked),
        answer["unexplained"],
    )


def _environment() -> dict[str, str]:
    """Return the examiner's environment: Python's packages, and no credentials."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**inherited, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}


def _manifest(placement: Placement, file: ModelFile, description: Description) -> Manifest:
    return Manifest(
        model_name=placement.model_name,
        model_version=placement.version,
        stage=placement.stage,
        run_id=placement.run_id,
        key=model_key(placement.model_name, file.sha256),
        sha256=file.sha256,
        size=file.size,
        input=description.input,
        output=description.output,
        labels=description.labels,
        self_test=description.self_test,
        reference=description.reference,
        contract=description.contract,
        column_reference=description.column_reference,
        decision_threshold=description.decision_threshold,
        metrics={name: value for name, value in placement.metrics.items() if math.isfinite(value)},
        transition_id=placement.transition_id,
        cache_epoch=0,
        written_at=now(),
        gate_revision=GATE_REVISION,
    )


def _read_back(manifest: Manifest) -> Manifest:
    """Return the manifest as predict will read it. Raises ModelRefused."""
    document = manifest.to_json()
    if len(document) > MAX_MANIFEST_BYTES:
        raise ModelRefused(
            f"its manifest would have {len(document)} bytes, and predict reads at most {MAX_MANIFEST_BYTES}; shorten "
            "the labels or the reference sample in the file's metadata"
        )
    try:
        return Manifest.from_json(document)
    except ManifestError as error:
        raise ModelRefused(f"predict could not read its manifest: {error}") from error


def _asking(model: Model) -> Callable[[], object]:
    """Return the function that asks a model for one prediction."""
    if model.encoder is not None:
        feeds = model.encoder.encode([plain_row(model.encoder.contract)]).feeds
        return lambda: model.outputs(feeds)
    assert model.manifest.input is not None
    row = np.zeros((1, model.manifest.input.features), np.float32)
    return lambda: model.probabilities(row)


def _latency_ms(model: Model) -> float:
    ask = _asking(model)
    took = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        ask()
        took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took)
