"""The container: what its Dockerfile says, and with an engine, that the image has it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import installed

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "training_container" / "Dockerfile").read_text()


def engine() -> str | None:
    """docker or podman, if its daemon answers."""
    for name in ("docker", "podman"):
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True, check=False).returncode == 0:
            return name
    return None


def test_it_runs_as_nobody_special_and_python_itself_gets_the_signal():
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER trainer$", final, re.M)
    assert re.search(r'^CMD \["python", "-m", "trainer"\]$', final, re.M)
    assert "ENTRYPOINT" not in DOCKERFILE


def test_it_is_built_in_stages_with_a_choice_of_cpu_or_cuda():
    """Fargate has no GPU: without a word of the user's, no job pulls gigabytes of CUDA."""
    assert len(re.findall(r"^FROM ", DOCKERFILE, re.M)) == 2
    (default,) = re.findall(r"^ARG TORCH_INDEX=(.+)$", DOCKERFILE, re.M)
    assert default.startswith("https://")
    assert default.endswith("/cpu")
    assert 'install ${TORCH_INDEX:+--index-url "${TORCH_INDEX}"} -r torch.txt' in DOCKERFILE


@pytest.mark.parametrize("setting", ["ORT_DISABLE_TELEMETRY=1", "MPLCONFIGDIR=/tmp/matplotlib"])
def test_it_keeps_libraries_from_home_and_network(setting: str):
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(rf"^(ENV )?\s*{setting}\b", final, re.M)


def test_what_it_copies_is_there_and_let_through():
    let_through = (ROOT / "training_container" / "Dockerfile.dockerignore").read_text()
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M):
        for source in sources.split():
            assert (ROOT / source).exists(), source
            assert f"!{source}" in let_through


@pytest.fixture(scope="module")
def image() -> Iterator[tuple[str, str]]:
    program = engine()
    if program is None:
        pytest.skip("no container engine (docker or podman) answers here")
    tag = f"mlops-training-test:{uuid.uuid4().hex[:8]}"
    command = [program, "build", "-q", "-f", "training_container/Dockerfile", "-t", tag, "."]
    subprocess.run(command, cwd=ROOT, check=True, timeout=1800)
    yield program, tag
    subprocess.run([program, "rmi", "-f", tag], capture_output=True, check=False)


@pytest.mark.slow
def test_it_trains_and_answers_sigterm_with_143(image: tuple[str, str]):
    program, tag = image
    trained = subprocess.run(
        [program, "run", "--rm", "-e", "TRAIN_EPOCHS=2", "-e", "MLFLOW_TRACKING_URI=sqlite:////tmp/mlflow.db", tag],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert '"event": "trainer.completed"' in trained.stdout

    name = f"mlops-{uuid.uuid4().hex[:8]}"
    variables = [
        "-e",
        "TRAIN_EPOCHS=100",
        "-e",
        "TRAIN_MODEL_TYPE=cnn",
        "-e",
        "MLFLOW_TRACKING_URI=sqlite:////tmp/m.db",
    ]
    subprocess.run([program, "run", "-d", "--name", name, *variables, tag], check=True, capture_output=True)
    try:
        deadline = time.monotonic() + 120
        while "epoch.done" not in subprocess.run([program, "logs", name], capture_output=True, text=True).stdout:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        subprocess.run([program, "stop", "-t", "30", name], check=True, capture_output=True)
        code = subprocess.run([program, "wait", name], capture_output=True, text=True, check=True).stdout.strip()
        assert code == "143"
    finally:
        subprocess.run([program, "rm", "-f", name], capture_output=True, check=False)


@pytest.fixture(scope="module")
def packages() -> Iterator[Path]:
    """The image's packages as they are after its removals, without a container engine."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        installed.link(installed.training_packages(), Path(name))
        installed.remove_unused(Path(name))
        yield Path(name)


@pytest.mark.slow
def test_its_packages_are_small(packages: Path):
    """The image's goal is 1.6 GB, of which Python's base has about an eighth of a gigabyte. Each job pulls it."""
    assert installed.size(packages) < 1.46e9


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ["mlp", "cnn", "xgboost", "lightgbm", "random_forest"])
def test_it_trains_with_what_is_left_of_the_packages(packages: Path, tmp_path: Path, model_type: str):
    """Some packages import at run time what looks as if nobody used it."""
    paths = (packages, ROOT / "training_container", ROOT / "layers/core/python", ROOT / "client")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": ":".join(map(str, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TRAIN_MODEL_TYPE": model_type,
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
    }
    # -S: without the packages of this environment.
    command = [sys.executable, "-S", "-m", "trainer", *(["--epochs", "1"] if model_type in ("mlp", "cnn") else [])]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert '"event": "trainer.completed"' in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_the_other_jobs_start_with_what_is_left_of_the_packages(packages: Path, tmp_path: Path):
    """Parquet, DuckDB, and people's own models of scikit-learn and PyTorch, which conversions load."""
    paths = (packages, ROOT / "training_container", ROOT / "layers/core/python", ROOT / "client")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": ":".join(map(str, paths))}
    program = """
import duckdb, mlflow.pytorch, mlflow.sklearn, pyarrow.dataset, pyarrow.parquet, torch
import conversion.job, label_imports.job, scoring.job, trainer.own_code.runner
table = duckdb.sql("select 1 as a, 'b' as b").to_arrow_table()
pyarrow.parquet.write_table(table, "t.parquet")
assert pyarrow.dataset.dataset("t.parquet").to_table() == table
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
