"""`mlops run` of scripts that the platform has never seen, with a real process for each job."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import urllib3

from infra.local.api import Api
from infra.local.settings import ROOT
from mlops_client import Client
from mlops_client.errors import JobFailed, NotFound
from tests.support import installed_client
from tests.support.job_processes import process_of, runs
from tests.support.steps import ENDED
from tests.support.waiting import eventually
from tests.support.wheels import make_wheel

SCRIPT = """
import json, os, pathlib, sys, time
import mlflow, words

epochs = int(sys.argv[1].removeprefix("--epochs="))
kept = pathlib.Path(os.environ["MLOPS_CHECKPOINT_DIR"]) / "epoch.json"
epoch = json.loads(kept.read_text()) if kept.exists() else 0
print(words.GREETING, "from epoch", epoch, "with", len(pathlib.Path(os.environ["MLOPS_DATASET"]).read_text()))
with mlflow.start_run():
    while epoch < epochs:
        epoch += 1
        mlflow.log_metric("loss", 1 / epoch, step=epoch)
        kept.write_text(json.dumps(epoch))
        time.sleep(0.2)
"""


@pytest.fixture
def client(stack: Any) -> Client:
    return Client(stack.api_url, stack.api_key)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a script, and with the wheel of a package that no index has."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text(SCRIPT)
    make_wheel(folder / "wheels", "words", "1.0", 'GREETING = "hello"\n')
    (folder / "requirements.txt").write_text("--no-index\n--find-links wheels\nwords\n")
    return folder


@pytest.fixture
def dataset(aws_client: Any, outputs: dict[str, str]) -> str:
    bucket = outputs["ArtifactBucketName"]
    aws_client("s3").put_object(Bucket=bucket, Key="datasets/own/data.csv", Body=b"a,label\n1,2\n")
    return f"s3://{bucket}/datasets/own/data.csv"


def start(client: Client, project: Path, dataset: str, epochs: int) -> str:
    return client.run_script(
        "train.py",
        folder=project,
        params={"epochs": epochs},
        requirements="requirements.txt",
        dataset=dataset,
        objective="loss",
        direction="minimise",
    ).job_id


def messages(client: Client, job_id: str) -> str:
    """The log of the job's latest attempt; empty until there is one."""
    try:
        return "\n".join(line.message for line in client.logs(job_id))
    except NotFound:
        return ""


@pytest.mark.slow
def test_a_script_shows_its_progress_is_interrupted_and_goes_on(
    api: Api, client: Client, project: Path, dataset: str
) -> None:
    job_id = start(client, project, dataset, epochs=40)
    path = f"/train/status/{job_id}"
    live = api.wait(path, until=lambda answer: answer["progress"]["epoch"] >= 3, seconds=300)
    assert live["status"] == "running"
    assert live["progress"]["epochs"] == 40
    assert 0 < live["metrics"]["loss"] < 1
    assert live["objective"] == {"name": "loss", "direction": "minimise"}
    # What a Spot reclaim does.
    os.kill(process_of(job_id).pid, signal.SIGTERM)
    ended = api.wait(path, until=lambda answer: answer["status"] in ENDED, seconds=300)
    assert ended["status"] == "completed", ended["error"]
    assert ended["progress"] == {"epoch": 40, "epochs": 40}
    assert ended["metrics"] == {"loss": pytest.approx(1 / 40)}
    # The log is that of the last attempt, which did not begin at the first epoch.
    log = messages(client, job_id)
    assert "hello from epoch" in log
    assert "hello from epoch 0" not in log


@pytest.mark.slow
def test_a_script_is_cancelled(api: Api, client: Client, project: Path, dataset: str, mlflow: Any) -> None:
    job_id = start(client, project, dataset, epochs=10_000)
    path = f"/train/status/{job_id}"
    run_id = api.wait(path, until=lambda answer: answer["progress"]["epoch"] >= 1, seconds=300)["run_id"]
    client.cancel(job_id)
    ended = api.wait(path, until=lambda answer: answer["status"] in ENDED, seconds=120)
    assert ended["status"] == "cancelled"
    assert ended["progress"]["epoch"] >= 1
    assert mlflow._get("runs/get", run_id=run_id)["run"]["info"]["status"] == "KILLED"


def test_the_command_says_why_a_script_failed(stack: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import sys\nprint('the table has no rows')\nsys.exit(7)\n")
    signed_in = {"MLOPS_API_URL": stack.api_url, "MLOPS_API_KEY": stack.api_key, "PYTHONPATH": str(ROOT / "client")}
    done = subprocess.run(
        [sys.executable, "-m", "mlops_client", "run", "bad.py", "--watch"],
        cwd=tmp_path,
        env={**os.environ, **signed_in},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 1
    assert "bad.py ended with exit code 7" in done.stderr
    assert "the table has no rows" in done.stderr


@pytest.mark.slow
def test_the_boxes_of_the_page_run(
    stack: Any, aws_client: Any, outputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs/own-code.md").read_text()
    script, resuming = re.findall(r"```python\n(.*?)```", page, re.S)
    commands = re.findall(r"```\n(mlops run .*?)```", page, re.S)[0].splitlines()
    key = "datasets/own/customers.csv"
    rows = "".join(f"{at % 7},{at % 3},{'yes' if at % 7 > 3 else 'no'}\n" for at in range(200))
    aws_client("s3").put_object(Bucket=outputs["ArtifactBucketName"], Key=key, Body=f"fee,calls,label\n{rows}".encode())
    address = f"s3://{outputs['ArtifactBucketName']}/{key}"
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text(script)
    signed_in = {"MLOPS_API_URL": stack.api_url, "MLOPS_API_KEY": stack.api_key}

    def run(command: str) -> str:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path / "code",
            env={**os.environ, **installed_client.variables(tmp_path / f"bin{len(os.listdir(tmp_path))}"), **signed_in},
            capture_output=True,
            text=True,
            timeout=600,
            check=True,
        ).stdout

    done = run(commands[0].replace("s3://…/customers.csv", address) + " --json")
    job = json.loads(done)
    assert (job["status"], job["progress"]) == ("completed", {"epoch": 20, "epochs": 20})
    assert 0 < job["metrics"]["loss"] < 1
    assert commands[1].startswith("mlops logs")
    assert "script.started" in run(f"mlops logs {job['job_id']}")
    # The lines that resume, in a script of their own.
    state = tmp_path / "state.pt"
    monkeypatch.setenv("MLOPS_CHECKPOINT_DIR", str(tmp_path))
    for first in (1, 6):
        names: dict[str, Any] = {}
        exec(f"import os, pathlib, torch\n{resuming}", names)
        assert names["first"] == first
        torch.save({"epoch": 5}, state)


@pytest.mark.slow
def test_a_model_that_plain_mlflow_registers_is_the_jobs(client: Client, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import mlflow\n"
        "from sklearn.linear_model import LinearRegression\n"
        "with mlflow.start_run():\n"
        "    model = LinearRegression().fit([[0], [1]], [0, 1])\n"
        "    mlflow.sklearn.log_model(model, name='m', registered_model_name='own-model', pip_requirements=[])\n"
    )
    job = client.run_script("train.py", folder=tmp_path).wait(600)
    assert (job.model_name, job.model_version) == ("own-model", 1)


def test_a_killed_container_leaves_no_script_behind(client: Client, tmp_path: Path) -> None:
    """As when a job takes more memory than it has: the container ends at once, and the script with it."""
    (tmp_path / "train.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(3600)\n")
    running = client.run_script("train.py", folder=tmp_path)
    eventually(lambda: "here" in messages(client, running.job_id), seconds=300, pause=0.5)
    runner = process_of(running.job_id)
    scripts = runner.children()
    assert scripts
    runner.kill()
    with pytest.raises(JobFailed, match="137"):
        running.wait(300)
    eventually(lambda: not any(runs(script.pid) for script in scripts), seconds=30)


def test_code_that_was_not_uploaded_is_refused(api: Api) -> None:
    answer = api.send("POST", "/runs", {"code": "0" * 64, "script": "train.py"})
    assert answer.status == 422
    assert "POST /code" in answer.json["detail"]


def test_an_upload_of_other_content_is_refused_where_s3_checks_it(api: Api) -> None:
    """An address holds for one size at least; the local S3 does not compare checksums, but each job does."""
    upload = api.post("/code", {"sha256": "1" * 64, "size": 10})
    assert upload["url"] is not None
    longer = {**upload["headers"], "content-length": "11"}
    assert urllib3.request("PUT", upload["url"], body=b"x" * 11, headers=longer).status == 403
