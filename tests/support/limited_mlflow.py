"""MLflow over HTTP behind the tracking function's limits, which know a job by its token."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.guard.identity import CODE_ROLE, TRAINER_ROLE
from infra.local.settings import ROOT
from tests.support.steps import free_ports
from tests.support.waiting import wait_for_server


@contextmanager
def limited_mlflow(folder: Path) -> Iterator[str]:
    """Serve MLflow with its data in a folder; the value is its address."""
    (port,) = free_ports(1)
    paths = (ROOT / "functions/tracking", ROOT / "layers/core/python", ROOT)
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/unit/tracking/mlflow_server.py"), str(port)],
        cwd=folder,
        env={
            "PATH": "",
            "HOME": str(folder),
            "TRAINER_ROLE": TRAINER_ROLE,
            "CODE_ROLES": CODE_ROLE,
            "MLFLOW_SERVER_ALLOWED_HOSTS": "127.0.0.1:*",
            "PYTHONPATH": ":".join(map(str, paths)),
        },
    )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for_server(server, f"{address}/health", 300)
        yield address
    finally:
        server.kill()
        server.wait()
