"""Have a model loaded and converted by a process that has none of the job's rights.

Whatever was pickled runs when it is loaded. That process gets no credentials, no addresses and no tokens: only the
folder with the model and the one for the result. On Linux it cannot read them from the job's first process either,
unless it is root's.
"""

import ctypes
import logging
import os
import subprocess
import sys
from pathlib import Path

from conversion.handover import Handover, Outcome

logger = logging.getLogger(__name__)

_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS")
_SET = {"ORT_DISABLE_TELEMETRY": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true"}
_PR_SET_DUMPABLE = 4
_ELSEWHERE = "convert it where it was trained, with mlops_client.log_model"


def convert_confined(source: Path, made: Path, seconds: float) -> Outcome:
    """Convert the model in the folder `source`, and leave what is made in the folder `made`.

    Returns:
        How it ended. If the process ended or was ended before it could say so, the reason has how far it came.
    """
    command = [sys.executable, "-m", "conversion.confined", str(source), str(made)]
    handover = Handover(made)
    try:
        code = subprocess.run(
            command, env=environment(made), cwd=made, stdin=subprocess.DEVNULL, timeout=seconds, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return Outcome(f"it was not done after {seconds:.0f} seconds, while {handover.stage()}: {_ELSEWHERE}")
    if code:
        logger.warning("the process that loaded the model ended with the code %s", code)
        how = f"by the signal {-code}, probably for lack of memory" if code < 0 else f"with the code {code}"
        return Outcome(f"its process ended {how}, while {handover.stage()}: {_ELSEWHERE}")
    return handover.outcome() or Outcome(f"its process ended without a result, while {handover.stage()}")


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of the process: what finds programs, and nothing that finds AWS or the platform."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    own = {name: str(folder) for name in ("HOME", "TMPDIR", "MPLCONFIGDIR")}
    return {**kept, **_SET, **own}


def hide_own_memory() -> None:
    """Keep other processes of the same user from reading this one's variables and memory, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
