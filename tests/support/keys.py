"""Keys of the local stack, made as operators make them."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from infra.local.settings import ROOT


def make_key(environment: Mapping[str, str], name: str, role: str, owner: str, models: Sequence[str] = ()) -> str:
    """Make a key and return its value. `environment` says where the stack's AWS is."""
    command = ["-m", "tools.keys", "create", "--name", name, "--owner", owner, "--role", role]
    command += ["--stack", "mlops-local", *(["--models", *models] if models else [])]
    made = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "client")))},
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.strip()
