"""The container: what its Dockerfile says, and with an engine, that the image has it."""

import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.without import environment_without

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
    assert 'install --index-url "${TORCH_INDEX}" -r torch.txt' in DOCKERFILE


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


@pytest.mark.slow
def test_it_trains_without_the_packages_own_tests(tmp_path: Path):
    """The Dockerfile removes folders of these names. Some packages import theirs at run time."""
    names = re.findall(r"-name (\w+)", DOCKERFILE.partition("-type d")[2].partition("-prune")[0])
    assert set(names) == {"test", "tests"}
    environment = environment_without((), tmp_path, names)
    paths = (ROOT / "training_container", ROOT / "layers/core/python", ROOT / "client")
    environment["PYTHONPATH"] += "".join(f":{path}" for path in paths)
    environment |= {"TRAIN_EPOCHS": "1", "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    done = subprocess.run(
        [sys.executable, "-m", "trainer"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert '"event": "trainer.completed"' in done.stdout, done.stdout + done.stderr
