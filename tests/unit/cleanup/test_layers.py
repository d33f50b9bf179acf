"""The functions have the layer of the web packages, and not that of inference."""

import subprocess
import sys

import pytest

from infra.local.settings import ROOT


@pytest.mark.parametrize("name", ["cleanup", "deletions"])
def test_a_function_starts_without_numpy(name: str) -> None:
    path = [str(ROOT / f"functions/{name}"), str(ROOT / "layers/core/python")]
    code = f"import sys; sys.path[:0] = {path}; sys.modules['numpy'] = None; import {name}.app"
    environment = {"AWS_DEFAULT_REGION": "us-east-1", "PATH": ""}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
