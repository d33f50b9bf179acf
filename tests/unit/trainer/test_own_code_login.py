"""The environment of people's own code: its arguments, and a login to MLflow that needs nothing of the script."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.settings import ROOT
from mlops.domain.code_run import RunRequest
from trainer.own_code import variables

SIGNED = """
import json, requests
from mlflow.tracking.request_auth.registry import fetch_auth

url = "https://abc.execute-api.eu-west-1.amazonaws.com/mlflow/api/2.0/mlflow/runs/get"
request = requests.Request("GET", url, params={"run_id": "a b"}, auth=fetch_auth("mlops_sigv4")).prepare()
print(json.dumps([request.url, request.headers["Authorization"]]))
"""


def test_a_script_signs_its_requests_whatever_its_own_modules_are_called(tmp_path: Path) -> None:
    for name in ("trainer.py", "mlops.py"):
        (tmp_path / name).write_text("raise AssertionError('the login must not import this')\n")
    (tmp_path / "script.py").write_text(SIGNED)
    environment = {
        "PATH": "",
        "HOME": str(tmp_path),
        "PYTHONPATH": f"{variables.LOGIN}:{ROOT / 'client'}",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    command = [sys.executable, str(tmp_path / "script.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    url, authorization = json.loads(done.stdout)
    assert url.endswith("?run_id=a%20b"), "as in the query that is signed"
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/execute-api/aws4_request" in authorization


@pytest.mark.parametrize(
    ("address", "auth"),
    [("https://abc.execute-api.eu-west-1.amazonaws.com/mlflow", "mlops_sigv4"), ("http://127.0.0.1:5000", None)],
)
def test_a_script_gets_mlflow_and_none_of_the_jobs_own_variables(
    tmp_path: Path, address: str, auth: str | None
) -> None:
    request = RunRequest(code="0" * 64, script="train.py", experiment_name="e")
    job = {
        "JOB_ID": "job_000001",
        "CODE_RUN": request.model_dump_json(),
        "MLFLOW_TRACKING_URI": address,
        "MLFLOW_RUN_ID": "r",
        "AWS_BATCH_JOB_ATTEMPT": "2",
        "PYTHONPATH": "/opt/app",
    }
    made = variables.of_script(
        request, job, packages=tmp_path / "packages", checkpoints=tmp_path / "kept", dataset=None, dataset_address=None
    )
    assert made.get("MLFLOW_TRACKING_AUTH") == auth
    assert (made["MLFLOW_RUN_ID"], made["MLFLOW_EXPERIMENT_NAME"], made["MLOPS_ATTEMPT"]) == ("r", "e", "2")
    assert made["PYTHONPATH"] == f"{tmp_path / 'packages'}:{variables.LOGIN}:/opt/app"
    assert "CODE_RUN" not in made
    assert "MLOPS_DATASET" not in made


def test_parameters_are_arguments_as_json_writes_them() -> None:
    given = {"lr": 0.1, "epochs": 3, "name": "a b", "fast": True, "slow": False, "seed": None, "one": 1, "zero": 0}
    assert variables.arguments(given) == [
        *("--lr=0.1", "--epochs=3", "--name=a b", "--fast=true", "--slow=false", "--seed=null", "--one=1", "--zero=0")
    ]
