"""`python -m trainer` as Batch starts it: signals, exit codes, what it imports before the first epoch."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlops.aws.jobs_table import JobsTable
from mlops.domain.job import Job
from trainer import invocation, models
from trainer.data import Dataset
from trainer.export import export

from .test_fit import Session

EPOCHS = 40


def environment(job_id: str, folder: Path, attempt: int = 1) -> dict[str, str]:
    import mlops
    import mlops_conversion
    import trainer

    packages = [str(Path(next(iter(package.__path__))).parent) for package in (mlops, mlops_conversion, trainer)]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(packages),
        "JOB_ID": job_id,
        "AWS_BATCH_JOB_ATTEMPT": str(attempt),
        "CHECKPOINT_DIR": str(folder),
        "TRAIN_EPOCHS": str(EPOCHS),
        "TRAIN_HIDDEN_SIZE": "64",
        "TRAIN_SHIFT": "1",
        "TRAIN_MODEL_NAME": "by-process",
        "TRAIN_EXPERIMENT_NAME": "by-process",
    }


def start(variables: dict[str, str], *argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "trainer", *argv],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def events(process: subprocess.Popen[str]) -> Iterator[dict]:
    for line in process.stdout:
        yield json.loads(line)


def up_to_epoch(process: subprocess.Popen[str], epoch: int, state: Path) -> None:
    """Return when `epoch` is done and some state is kept."""
    for event in events(process):
        if event["event"] == "epoch.done" and event["epoch"] >= epoch and state.exists():
            return
    pytest.fail(f"ended before epoch {epoch}: {process.stderr.read()}")


def complete(variables: dict[str, str]) -> tuple[dict, list[dict]]:
    process = start(variables)
    seen = list(events(process))
    assert process.wait(60) == 0, process.stderr.read()
    return seen[-1], seen


@pytest.fixture
def whole(tmp_path: Path, digits: Dataset) -> str:
    """The SHA-256 of a run that nothing interrupted, in this process."""
    asked = invocation.parameters([], environment("job_900000", tmp_path))
    return export(models.find(asked.model_type).train(digits, asked, Session()), digits).sha256


def test_sigterm_ends_no_thread_of_a_run(mlflow_client: MlflowClient, tmp_path: Path):
    """Also none of those that numpy starts when it is imported, one a processor: it would end the process."""
    process = start({**environment("job_900006", tmp_path), "OMP_NUM_THREADS": "2"})
    assert next(events(process))["event"] == "trainer.started"
    threads = list(Path(f"/proc/{process.pid}/task").iterdir())
    blocked = [re.search(r"^SigBlk:\s*(\w+)", (thread / "status").read_text(), re.MULTILINE) for thread in threads]
    process.send_signal(signal.SIGUSR1)
    assert any("most recent call first" in line for line in process.stderr), "it says where its threads are"
    process.kill()
    process.wait()
    assert len(threads) > 1
    taking = [found for found in blocked if not int(found[1], 16) >> (signal.SIGTERM - 1) & 1]
    assert len(taking) == 1, "the one that waits for it"


IMPORTS_TOLD = """
import runpy, sys, threading

def tell(event, arguments):
    thread = threading.current_thread().name
    if event == "import" and thread.startswith("sender"):
        print("imports", arguments[0], flush=True)

sys.addaudithook(tell)
sys.argv = ["trainer"]
runpy.run_module("trainer", run_name="__main__", alter_sys=True)
"""


@pytest.mark.usefixtures("mlflow_client", "aws")
def test_senders_import_nothing_while_the_main_thread_does(tmp_path: Path):
    """Where two threads imported at once, MLflow's import broke off, and the main thread waited for ever."""
    JobsTable.from_environment().create(Job("job_900007"))
    variables = {**environment("job_900007", tmp_path), "TRAIN_EPOCHS": "1"}
    done = subprocess.run([sys.executable, "-c", IMPORTS_TOLD], env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    training, exported, _ = done.stdout.partition('"model.exported"')
    assert exported, "after this the main thread only waits for the senders"
    told = [line.split()[1] for line in training.splitlines() if line.startswith("imports ")]
    assert [name for name in told if name.split(".")[0] in ("boto3", "botocore", "mlflow", "mlops", "sqlalchemy")] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job_id", "sent", "code"), [("job_900001", signal.SIGKILL, -9), ("job_900002", signal.SIGTERM, 143)]
)
def test_an_interrupted_run_ends_as_one_that_was_not(
    mlflow_client: MlflowClient, tmp_path: Path, whole: str, job_id: str, sent: signal.Signals, code: int
):
    first = start(environment(job_id, tmp_path))
    up_to_epoch(first, 3, tmp_path / job_id / "latest")
    first.send_signal(sent)
    began = time.monotonic()
    assert first.wait(30) == code
    assert time.monotonic() - began < 30

    end, seen = complete(environment(job_id, tmp_path, attempt=2))
    assert "checkpoint.found" in [event["event"] for event in seen]
    resumed_at = next(event["epoch"] for event in seen if event["event"] == "epoch.done")
    assert resumed_at > 1
    assert end["sha256"] == whole

    experiment = mlflow_client.get_experiment_by_name("by-process").experiment_id
    (run,) = mlflow_client.search_runs([experiment], f"tags.`mlops.job_id` = '{job_id}'")
    assert run.info.status == "FINISHED"
    steps = sorted({item.step for item in mlflow_client.get_metric_history(run.info.run_id, "train_loss")})
    assert steps[-1] == EPOCHS
    assert not (tmp_path / job_id / "latest").exists()


@pytest.mark.usefixtures("aws")
def test_wrong_parameters_end_with_2_one_line_and_the_reason_in_the_record(tmp_path: Path):
    JobsTable.from_environment().create(Job("job_900003"))
    process = start(environment("job_900003", tmp_path), "--learning-rate", "5")
    _, errors = process.communicate(timeout=120)
    record = JobsTable.from_environment().get("job_900003")
    assert record.status == "failed"
    assert "--learning-rate" in record.error
    assert process.returncode == 2
    assert errors.count("\n") == 1
    assert "--learning-rate (TRAIN_LEARNING_RATE)" in errors


def test_a_failed_run_ends_with_1_and_one_line_whether_or_not_mlflow_hears_of_it(tmp_path: Path):
    process = start(
        {
            **environment("job_900004", tmp_path),
            "TRAIN_DATASET": "mnist",
            "MNIST_DIR": "/nowhere",
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
            "DELIVERY_MAX_WAIT_SECONDS": "0.1",
        }
    )
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith("error: mnist: there is no file /nowhere/train-images")
    assert "Traceback" not in errors
    assert '"event": "trainer.failed"' in out


HEAVY = (
    *("torch", "sklearn", "scipy", "pandas", "mlflow", "onnx", "onnxruntime", "matplotlib", "skl2onnx", "boto3"),
    *("duckdb", "pyarrow"),
)

BUDGET = """
import json, sys
from trainer import __main__, data, invocation, job, models, stop
from trainer.errors import Interrupted

asked = invocation.parameters([], {})
dataset = data.load(asked.dataset)
before_fit = sorted(sys.modules)

class Session:
    def resume(self): return None
    def should_stop(self): return False
    def on_train_begin(self, epochs): pass
    def on_epoch_end(self, epoch, metrics, state):
        state()
        raise Interrupted

try:
    models.find("mlp").train(dataset, asked, Session())
except Interrupted:
    print(json.dumps([before_fit, sorted(sys.modules)]))
"""


def test_the_first_epoch_needs_torch_and_numpy_and_no_other_heavy_package(tmp_path: Path):
    """The budget of the time from start to first epoch, as imports: each of these is a good part of a second."""
    done = subprocess.run(
        [sys.executable, "-c", BUDGET],
        env=environment("job_900005", tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    before_fit, at_first_epoch = (set(names) for names in json.loads(done.stdout))
    assert before_fit.isdisjoint(HEAVY)
    assert at_first_epoch.intersection(HEAVY) == {"torch"}
    assert len(before_fit) < 600
    # torch's compiler is 800 more, which torch's own optimisers would bring along.
    assert len(at_first_epoch) < 1350
