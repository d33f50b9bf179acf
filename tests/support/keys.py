"""Keys of the local stack, made as operators make them."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from infra.local.settings import ROOT


def make_key(environment: Mapping[str, str], name: str, role: str, owner: str, models: Sequence[str] = ()) -> str:
    """Make a key and return its value. `environment` says where the stack's AWS is."""
    limited = ["--models", *models] if models else []
    return _keys(environment, "create", "--name", name, "--owner", owner, "--role", role, *limited).strip()


def revoke_key(environment: Mapping[str, str], name: str) -> None:
    """Revoke the keys of a name, as operators do."""
    listed = _keys(environment, "list")
    for identifier in [line.split()[0] for line in listed.splitlines() if line.split()[2] == name]:
        _keys(environment, "revoke", "--id", identifier)


def _keys(environment: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tools.keys", *arguments, "--stack", "mlops-local"],
        cwd=ROOT,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "client")))},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
