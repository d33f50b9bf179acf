"""This process: what its libraries read from the environment, and how much memory it has used."""

import os
import resource
import sys
import tempfile
from pathlib import Path

from mlops_data.memory import kibibytes
from trainer.errors import TrainingError

STATUS = Path("/proc/self/status")

ENVIRONMENT = {
    # torch's threads sleep while they wait for each other. Spinning is a little quicker on an idle machine and many
    # times slower on a shared one, where they spin away the time that the awaited thread needs.
    "OMP_WAIT_POLICY": "PASSIVE",
    # On a GPU cuBLAS repeats its sums to the bit only with a workspace of fixed size.
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    # onnxruntime otherwise writes a device id below HOME and looks up its maker's collector.
    "ORT_DISABLE_TELEMETRY": "1",
}


def prepare() -> None:
    """Set what libraries read when they are imported; what is set already stays. Call before any of them is loaded.

    Raises:
        TrainingError: there is no folder for temporary files.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # HOME may be read-only, and Matplotlib wants to keep its list of fonts.
    os.environ.setdefault("MPLCONFIGDIR", str(Path(temporary_folder()) / "matplotlib"))


def temporary_folder() -> str:
    """The folder of temporary files. Raises TrainingError if no folder can be written to."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError as error:
        raise TrainingError(
            "there is no folder for temporary files; mount a writable /tmp, or name a folder in TMPDIR"
        ) from error


def peak_memory_mb() -> float:
    """Peak resident memory of this process, in MiB.

    The kernel's VmHWM, which starts at 0 with each program; ru_maxrss carries the peak of the parent that forked it.
    """
    high_water_mark = kibibytes(STATUS, "VmHWM")
    if high_water_mark is not None:
        return high_water_mark / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
