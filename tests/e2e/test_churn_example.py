"""The example project: its boxes and the steps of its workflow, as a person and as CI run them."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.local.api import Api
from infra.local.settings import ROOT
from tests.support import installed_client

EXAMPLE = ROOT / "examples/churn"
WORKFLOW = yaml.safe_load((EXAMPLE / ".github/workflows/release.yaml").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, which is no part of a git repository."""
    copy = tmp_path_factory.mktemp("example") / "churn"
    shutil.copytree(EXAMPLE, copy)
    return copy


@pytest.fixture(scope="module")
def shell(stack: Any, folder: Path) -> Any:
    """Run lines in bash as a person does who has signed in to the local stack."""
    home = folder.parent / "home"
    home.mkdir()
    own = {
        **installed_client.variables(folder.parent / "bin"),
        "HOME": str(home),
        "MLOPS_CONFIG": str(home / "config.json"),
        "MLOPS_STACK": "mlops-local",
        "NO_COLOR": "1",
    }

    def run(lines: str, more: Mapping[str, str], code: int = 0) -> str:
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", lines],
            env={**stack.env, **own, **more},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    return run


@pytest.fixture(scope="module")
def dataset(shell: Any) -> str:
    return str(shell(boxes()[0], {})).strip()


def boxes() -> list[str]:
    return re.findall(r"```bash\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.S)


@pytest.mark.slow
def test_the_boxes_train_promote_and_ask(shell: Any, dataset: str, api: Api) -> None:
    assert dataset.endswith("/datasets/churn/latest")
    _, first, second = boxes()
    answer = shell(first, {"DATASET": dataset})
    assert api.get("/models/churn")["production_version"] == 1
    asked = json.loads((EXAMPLE / "customer.json").read_text())
    predicted = api.post("/predict", {"model_name": "churn", "row": asked})
    assert predicted["prediction"] in ("yes", "no")
    assert predicted["prediction"] in answer
    assert api.send("POST", "/predict", {"model_name": "churn", "row": {**asked, "note": None}}).status == 422
    train, promotion = second.strip().splitlines()
    shell(train, {"DATASET": dataset})
    shell(f"{promotion} || [ $? = 1 ]", {})
    versions = {each["version"]: each for each in api.get("/models/churn")["versions"]}
    aucs = {number: each["metrics"]["roc_auc"] for number, each in versions.items()}
    assert all(auc > 0.75 for auc in aucs.values()), aucs
    assert (versions[2]["stage"] == "Production") is (aucs[2] >= aucs[1]), "the gate compares them"


@pytest.mark.slow
def test_the_workflow_trains_with_one_key_and_promotes_with_another(
    shell: Any, stack: Any, dataset: str, folder: Path, api: Api
) -> None:
    key = json.loads(shell("mlops keys create ci --owner ci --role train --json", {}))
    output = folder / "github-output"
    variables = {"DATASET": dataset, "GITHUB_OUTPUT": str(output), "GITHUB_SHA": "0123abc"}
    train, promote = (WORKFLOW["jobs"][name] for name in ("train", "promote"))
    refused = {**variables, "MLOPS_API_KEY": key["key"], "VERSION": "1"}
    for lines in steps(train):
        shell(lines, {**variables, "MLOPS_API_KEY": key["key"]})
    version = output.read_text().strip().removeprefix("version=")
    shell(steps(promote)[0], refused, code=3)
    for lines in steps(promote)[:2]:
        shell(lines, {**variables, "VERSION": version})
    model = api.get("/models/churn")
    assert str(model["staging_version"]) == version
    (move,) = [
        each
        for each in api.get("/models/churn/history")["transitions"]
        if (str(each["version"]), each["stage"]) == (version, "Staging")
    ]
    assert move["reason"] == "commit 0123abc"


def steps(job: Mapping[str, Any]) -> list[str]:
    """The commands of a job, apart from the installation of the client."""
    return [step["run"] for step in job["steps"] if "run" in step and step["name"] != "install"]
