"""Where a model comes from: code, image, libraries, machine."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("torch", "scikit-learn", "numpy", "onnx", "onnxruntime", "skl2onnx", "mlflow", "duckdb")


def provenance() -> dict[str, str]:
    """Facts for the run's tags. The image's build or the job definition sets IMAGE_DIGEST and GIT_COMMIT."""
    facts = {"mlflow.source.type": "JOB", "mlflow.source.name": "trainer"}
    if commit := os.environ.get("GIT_COMMIT") or _git_commit():
        facts["mlflow.source.git.commit"] = commit
    if digest := os.environ.get("IMAGE_DIGEST"):
        facts["mlops.image_digest"] = digest
    facts["mlops.python"] = platform.python_version()
    facts["mlops.machine"] = f"{platform.machine()}, {_processors()} processors"
    if name := _gpu():
        facts["mlops.gpu"] = name
    for library in LIBRARIES:
        try:
            facts[f"mlops.version.{library}"] = version(library)
        except PackageNotFoundError:
            continue
    return facts


def _processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpu() -> str | None:
    """Return the name of the GPU that torch has begun to use; None without one, or for types that use none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return str(torch.cuda.get_device_name())


def _git_commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
