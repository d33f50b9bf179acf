"""This process: what its libraries read from the environment, how much memory it has and how much it has used."""

import os
import resource
import sys
import tempfile
from pathlib import Path

from trainer.errors import TrainingError

STATUS = Path("/proc/self/status")
MEMORY_INFO = Path("/proc/meminfo")
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
UNKNOWN_MEMORY = 4 * 1024**3

ENVIRONMENT = {
    # torch's threads sleep while they wait for each other. Spinning is a little quicker on an idle machine and many
    # times slower on a shared one, where they spin away the time that the awaited thread needs.
    "OMP_WAIT_POLICY": "PASSIVE",
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
    kibibytes = _kibibytes(STATUS, "VmHWM")
    if kibibytes is not None:
        return kibibytes / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def memory_limit() -> int:
    """Bytes of memory that this process may use: what the machine has free, or the container's limit if it is lower."""
    free = _kibibytes(MEMORY_INFO, "MemAvailable")
    limits = [free * 1024 if free is not None else UNKNOWN_MEMORY]
    for path in CGROUP_LIMITS:
        try:
            limits.append(int(path.read_text()))
        except (OSError, ValueError):  # not Linux, another version of cgroups, or "max"
            continue
    return min(limits)


def _kibibytes(path: Path, name: str) -> int | None:
    """The number in the line `name` of one of the kernel's tables, all of which are in kB."""
    try:
        for line in path.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return None
