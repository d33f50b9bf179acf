"""LightGBM loads where the system has no libgomp, as in slim images."""

import ast
import subprocess
import sys

import pytest

WITHOUT_THE_SYSTEMS = """
import ctypes
load = ctypes.CDLL
def without(name, *more):
    if name == "libgomp.so.1":
        raise OSError(name)
    return load(name, *more)
ctypes.CDLL = without
from trainer import openmp
openmp.load()
ctypes.CDLL = load
import lightgbm
import numpy
lightgbm.Dataset(numpy.eye(4), [0, 1, 0, 1]).construct()
print({line.split()[-1] for line in open("/proc/self/maps") if line.rstrip().endswith("/libgomp.so.1")})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="LightGBM's wheels for other systems differ")
def test_lightgbm_takes_the_library_of_torch_s_wheel():
    path = ":".join(sys.path)
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_SYSTEMS],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    (loaded,) = ast.literal_eval(ran.stdout.splitlines()[-1])
    assert loaded.endswith("torch/lib/libgomp.so.1")
