"""What the trainer's process tells its libraries, and what it says of its memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlops
import mlops_conversion
import trainer
from trainer import process
from trainer.errors import TrainingError

PACKAGES = os.pathsep.join(
    str(Path(next(iter(package.__path__))).parent) for package in (mlops, mlops_conversion, trainer)
)


def python(code: str, home: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": PACKAGES, "HOME": str(home), "PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_onnxruntime_s_telemetry_is_off(tmp_path: Path):
    """Where it is on, a device id is written below HOME, on a thread of its own."""
    code = "from trainer import process; process.prepare(); import trainer.export, time; time.sleep(1)"
    python(code, tmp_path)
    assert list(tmp_path.rglob("*onnxruntime*")) == []


def test_matplotlib_has_a_folder_where_home_cannot_be_written_to(tmp_path: Path):
    code = "from trainer import process; process.prepare(); import matplotlib; print(matplotlib.get_configdir())"
    folder = tmp_path / "temporary"
    folder.mkdir()
    assert python(code, Path("/proc/nowhere"), TMPDIR=str(folder)).strip() == str(folder / "matplotlib")


def test_what_is_set_already_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("MPLCONFIGDIR", "/somewhere")
    process.prepare()
    assert (os.environ["OMP_WAIT_POLICY"], os.environ["MPLCONFIGDIR"]) == ("ACTIVE", "/somewhere")


def test_no_folder_for_temporary_files_is_said_at_once(monkeypatch: pytest.MonkeyPatch):
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    with pytest.raises(TrainingError, match="mount a writable /tmp, or name a folder in TMPDIR"):
        process.temporary_folder()


def test_the_peak_of_memory_is_the_process_s_own_and_not_its_parent_s(tmp_path: Path):
    """A large parent that forks hands its peak on as ru_maxrss."""
    code = """
import os, resource, subprocess, sys
block = bytearray(os.urandom(1024)) * (300 * 1024)
child = "from trainer.process import peak_memory_mb; print(peak_memory_mb())"
read, write = os.pipe()
if os.fork() == 0:
    os.dup2(write, 1)
    os.execv(sys.executable, [sys.executable, "-c", child])
os.close(write)
print(os.read(read, 100).decode())
"""
    peak = float(python(code, tmp_path))
    assert 5 < peak < 200


def test_the_peak_of_memory_counts_what_was_freed_again(tmp_path: Path):
    code = """
from trainer.process import peak_memory_mb
before = peak_memory_mb()
block = bytearray(200 * 1024 * 1024)
for place in range(0, len(block), 4096): block[place] = 1
del block
print(peak_memory_mb() - before)
"""
    assert 190 < float(python(code, tmp_path)) < 220
