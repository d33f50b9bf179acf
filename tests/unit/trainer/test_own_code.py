"""People's own code, as the job runs it: `python -m trainer code` in a process, S3, and MLflow behind its limits."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.local.guard.identity import CODE_TOKEN
from infra.local.settings import ROOT
from mlops.domain.code_run import archive_key
from mlops.registry.runs import Runs
from mlops_client.packing import pack
from tests.support.job_processes import runs
from tests.support.limited_mlflow import limited_mlflow
from tests.support.waiting import eventually
from tests.support.wheels import make_wheel
from tests.unit.trainer.conftest import BUCKET

SCRIPT = """
import argparse, json, os, pathlib, signal, sys, time
import mlflow, words
from sklearn.linear_model import LinearRegression

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--wait-at", type=int)
arguments = parser.parse_args()
kept = pathlib.Path(os.environ["MLOPS_CHECKPOINT_DIR"]) / "state" / "epoch.json"
kept.parent.mkdir(exist_ok=True)
epoch = json.loads(kept.read_text()) if kept.exists() else 0
print(words.GREETING, "from epoch", epoch, pathlib.Path(os.environ["MLOPS_DATASET"]).read_text())
with mlflow.start_run() as run:
    assert run.info.run_id == os.environ.get("MLFLOW_RUN_ID", run.info.run_id)
    mlflow.log_param("epochs", arguments.epochs)
    while epoch < arguments.epochs:
        epoch += 1
        mlflow.log_metric("loss", 1 / epoch, step=epoch)
        kept.write_text(json.dumps(epoch))
        if epoch == arguments.wait_at and os.environ["MLOPS_ATTEMPT"] == "1":
            print("waiting", flush=True)
            time.sleep(600)
    mlflow.sklearn.log_model(
        LinearRegression().fit([[0], [1]], [0, 1]), name="model", registered_model_name="own", pip_requirements=[]
    )
"""


@dataclass(frozen=True)
class World:
    """Where a run takes place."""

    tracking: str
    folder: Path
    environment: Mapping[str, str]

    def job(self, job_id: str, attempt: int = 1, **fields: Any) -> dict[str, str]:
        """Pack and upload the folder, create the MLflow run, and return the variables of the job."""
        archive = pack(self.folder, [fields["script"]])
        boto3.client("s3").put_object(Bucket=BUCKET, Key=archive_key(archive.sha256), Body=archive.content)
        run_id = Runs(self.tracking, 60).create_run("own-code", job_id, {})
        request = {"code": archive.sha256, **fields}
        own = {"JOB_ID": job_id, "CODE_RUN": json.dumps(request), "MLFLOW_RUN_ID": run_id}
        return {**self.environment, **own, "AWS_BATCH_JOB_ATTEMPT": str(attempt)}

    def start(self, variables: Mapping[str, str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "trainer", "code"],
            env=dict(variables),
            cwd=self.folder.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, variables: Mapping[str, str]) -> tuple[int, str]:
        process = self.start(variables)
        output, _ = process.communicate(timeout=600)
        return process.returncode, output


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with limited_mlflow(tmp_path_factory.mktemp("limited")) as served:
        yield served


@pytest.fixture
def world(tracking: str, aws: str, tmp_path: Path) -> World:
    folder = tmp_path / "project"
    folder.mkdir()
    layers = ("layers/core/python", "training_container", "client")
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        "PYTHONPATH": ":".join(str(ROOT / layer) for layer in layers),
        "PYTHONUNBUFFERED": "1",
        "ARTIFACT_BUCKET": BUCKET,
        "MLFLOW_TRACKING_URI": tracking,
        "MLFLOW_TRACKING_TOKEN": CODE_TOKEN,
        "PIP_NO_INDEX": "1",
    }
    return World(tracking, folder, environment)


@pytest.mark.slow
def test_a_script_with_requirements_is_interrupted_and_goes_on_from_its_checkpoint(world: World) -> None:
    (world.folder / "train.py").write_text(SCRIPT)
    # Only this file says where the packages are, and no index is asked.
    make_wheel(world.folder / "wheels", "words", "1.0", 'GREETING = "hello"\n')
    (world.folder / "requirements.txt").write_text("--no-index\n--find-links wheels\nwords>=1\nnumpy\n")
    s3 = boto3.client("s3")
    s3.put_object(Bucket=BUCKET, Key="datasets/1/data.csv", Body=b"a,label")
    variables = world.job(
        "job_000071",
        script="train.py",
        requirements="requirements.txt",
        dataset=f"s3://{BUCKET}/datasets/1/data.csv",
        params={"epochs": 4, "wait-at": 2},
    )
    runs = Runs(world.tracking, 60)
    first = world.start(variables)
    assert first.stdout is not None
    lines: list[str] = []
    while not lines or lines[-1] != "waiting\n":
        lines.append(first.stdout.readline())
        assert lines[-1], "".join(lines)
    assert "hello from epoch 0 a,label\n" in lines
    assert runs.state(variables["MLFLOW_RUN_ID"]).epoch == 2
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 143
    kept = s3.list_objects_v2(Bucket=BUCKET, Prefix="code-checkpoints/job_000071/")["Contents"]
    assert [item["Key"] for item in kept] == ["code-checkpoints/job_000071/state/epoch.json"]

    code, output = world.run({**variables, "AWS_BATCH_JOB_ATTEMPT": "2"})
    assert code == 0, output
    assert "hello from epoch 2" in output
    state = runs.state(variables["MLFLOW_RUN_ID"])
    assert (state.epoch, state.epochs, state.metrics) == (4, 4, {"loss": 0.25})
    version = runs.version_of(variables["MLFLOW_RUN_ID"])
    assert version is not None
    assert version.model_name == "own"
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="code-checkpoints/job_000071/")


def test_a_script_that_fails_says_why_in_its_run(world: World) -> None:
    (world.folder / "train.py").write_text("import sys\nprint('the table has no rows')\nsys.exit(3)\n")
    variables = world.job("job_000072", script="train.py")
    code, output = world.run(variables)
    assert code == 1, output
    error = Runs(world.tracking, 60).state(variables["MLFLOW_RUN_ID"]).error
    assert error == "train.py ended with exit code 3. Its last lines:\nthe table has no rows"


def test_requirements_that_would_replace_a_package_of_the_image_are_refused(world: World) -> None:
    (world.folder / "train.py").write_text("raise AssertionError('never started')\n")
    (world.folder / "requirements.txt").write_text("numpy==1.0\n")
    variables = world.job("job_000073", script="train.py", requirements="requirements.txt")
    code, output = world.run(variables)
    assert code == 1, output
    error = Runs(world.tracking, 60).state(variables["MLFLOW_RUN_ID"]).error or ""
    assert "requirements.txt cannot be installed" in error
    assert "numpy==1.0" in error
    assert "never started" not in output


def test_an_index_that_does_not_answer_fails_the_run_with_pips_words(world: World) -> None:
    (world.folder / "train.py").write_text("raise AssertionError('never started')\n")
    (world.folder / "requirements.txt").write_text("a-package-that-is-nowhere\n")
    variables = world.job("job_000076", script="train.py", requirements="requirements.txt")
    code, output = world.run({**variables, "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0"})
    assert code == 1, output
    error = Runs(world.tracking, 60).state(variables["MLFLOW_RUN_ID"]).error or ""
    assert "requirements.txt cannot be installed" in error
    assert "a-package-that-is-nowhere" in error


def test_a_script_that_prints_without_end_fills_no_log_and_goes_on(world: World) -> None:
    (world.folder / "train.py").write_text("for _ in range(22):\n    print(('x' * 999 + '\\n') * 1000, end='')\n")
    code, output = world.run(world.job("job_000077", script="train.py"))
    assert code == 0, output[-2000:]
    assert output.count("x") < 21_000_000
    assert "script.output_cut" in output


def test_what_a_script_leaves_behind_ends_with_it(world: World, tmp_path: Path) -> None:
    """Its output is read to the end of the script, not to that of a process that holds it open."""
    (world.folder / "train.py").write_text(
        "import pathlib, subprocess, sys\n"
        "left = subprocess.Popen(['sleep', '600'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(left.pid))\n"
    )
    code, output = world.run(world.job("job_000074", script="train.py"))
    assert code == 0, output
    left = int((tmp_path / "pid").read_text())
    eventually(lambda: not runs(left))


@pytest.mark.parametrize(("script", "said"), [("gone.py", "is not in the archive"), ("train.py", "damaged")])
def test_code_that_cannot_be_started_says_why(world: World, script: str, said: str) -> None:
    (world.folder / "train.py").write_text("")
    variables = world.job("job_000075", script="train.py")
    request = json.loads(variables["CODE_RUN"])
    if said == "damaged":
        boto3.client("s3").put_object(Bucket=BUCKET, Key=archive_key(request["code"]), Body=b"other")
    code, output = world.run({**variables, "CODE_RUN": json.dumps({**request, "script": script})})
    assert code == 1, output
    assert said in (Runs(world.tracking, 60).state(variables["MLFLOW_RUN_ID"]).error or "")
