"""The package as a whole: its modules stand alone, and stay small."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlops_contract
import mlops_data

ROOT = Path(mlops_data.__path__[0])
MODULES = {
    ".".join(("mlops_data", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
LONGEST_FILE = 300


def test_each_module_can_be_imported_first_and_alone():
    """Without the trainer, and before any other module has prepared the way."""
    code = (
        "import importlib, sys\n"
        f"for name in {list(MODULES)}:\n"
        "    for loaded in [each for each in sys.modules if each.startswith('mlops_')]:\n"
        "        del sys.modules[loaded]\n"
        "    importlib.import_module(name)\n"
        "assert not {'trainer', 'mlops', 'torch', 'mlops_conversion'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "PYTHONPATH": os.pathsep.join(str(Path(each.__path__[0]).parent) for each in (mlops_contract, mlops_data))
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "mlops_data.tables.reader" in MODULES


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES)
def test_a_file_stays_small(path: Path):
    assert len(path.read_text().splitlines()) <= LONGEST_FILE
