"""The client as if it were installed: `mlops` and `python` are on the path."""

import os
import sys
from pathlib import Path

from infra.local.settings import ROOT


def variables(folder: Path) -> dict[str, str]:
    """Write the commands into a new folder, and return the variables with which a process finds them."""
    folder.mkdir()
    for name, arguments in (("mlops", " -m mlops_client"), ("python", "")):
        command = folder / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}"{arguments} "$@"\n')
        command.chmod(0o755)
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'client'}:{ROOT / 'layers/core/python'}",  # the wheel has the contract, too
    }
