"""The SDK and the command line on the stack of the session: the notebook, the tutorial, and what goes wrong."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3

from infra.local.settings import ROOT
from tests.conftest import RunningStack
from tests.support import installed_client
from tools.screenshots.terminal import on_terminal

NOTEBOOK = json.loads((ROOT / "docs" / "first_steps.ipynb").read_text())


@pytest.fixture
def environment(stack, tmp_path) -> dict[str, str]:
    """Variables of a person whose client is installed and who has not signed in; `mlops` is on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_", "AWS_", "MLFLOW_"))}
    return kept | {
        **installed_client.variables(tmp_path / "bin"),
        "MLOPS_CONFIG": str(tmp_path / "config.json"),
        "COLUMNS": "100",
    }


@pytest.fixture
def signed_in(environment, stack) -> dict[str, str]:
    return environment | {"MLOPS_API_URL": stack.api_url, "MLOPS_API_KEY": stack.api_key}


def mlops(environment: dict[str, str], *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["mlops", *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False, **more
    )


def in_terminal(
    environment: dict[str, str], *arguments: str, columns: int = 100, interrupt_at: str = ""
) -> tuple[int, str]:
    """Exit code of `mlops …` on a terminal of its own, and all it wrote there; Ctrl-C is typed after `interrupt_at`."""
    plain = {name: value for name, value in environment.items() if name != "COLUMNS"}
    presses = [b"\x03"] if interrupt_at else []

    def typed(written: str) -> bytes:
        return presses.pop() if presses and interrupt_at in written else b""

    return on_terminal(["mlops", *arguments], plain, columns, typed=typed)


def unstyled(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def boxes_of(page: str, environment: dict[str, str], stack: RunningStack, folder: Path) -> str:
    """Run the commands of a page as they stand, then its Python, and return what they print."""
    (folder / ".local").mkdir()
    (folder / ".local" / "env").write_text("".join(f"{name}={value}\n" for name, value in stack.env.items()))
    text = (ROOT / "docs" / page).read_text()
    script = "set -euo pipefail\n" + "\n".join(re.findall(r"^```bash\n(.*?)^```", text, re.M | re.S))
    snippet = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.M | re.S))
    script += f"\npython - <<'SNIPPET'\n{snippet}\nSNIPPET\n"
    ran = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, f"{ran.stdout[-3000:]}\n{ran.stderr[-2000:]}"
    return ran.stdout


@pytest.mark.slow
def test_the_tutorial_runs_as_it_stands(environment, stack, tmp_path):
    printed = boxes_of("tutorial.md", environment, stack, tmp_path)
    assert "wine version 1 is in Production" in printed
    assert "in place of version 1" in printed
    assert re.search(r"^0 (0\.\d+|1\.0)$", printed, re.M), "the wine is the first grower's"


@pytest.mark.slow
def test_the_page_on_tables_runs_as_it_stands(environment, stack, tmp_path):
    printed = boxes_of("tables.md", environment, stack, tmp_path)
    assert "the column 'customer_id' is left out: it is an id" in printed
    assert "churn-page version 1 is in Production" in printed
    assert re.search(r"^(yes|no) (0\.\d+|1\.0) \{", printed, re.M), "a row is answered"
    assert re.search(r"^2500 ", printed, re.M)
    assert (tmp_path / "answers.csv").read_text().count("\n") == 601


@pytest.mark.slow
def test_the_page_on_safe_promotions_runs_as_it_stands(environment, stack, tmp_path):
    printed = boxes_of("promote.md", environment, stack, tmp_path)
    assert "safe version 1 is in Production" in printed
    assert "refused with exit code 1" in printed
    assert printed.count("safe version 3 is in Production, in place of version 1") == 2, "before and after the rollback"
    assert "safe version 1 is in Production, in place of version 3" in printed
    assert "safe version 3 waits for 1 approval before it goes to Production" in printed
    assert "the history of safe is as it was written" in printed
    document = json.loads((tmp_path / "promotion.json").read_text())
    assert "the curves look right" in json.dumps(document)


@pytest.mark.slow
def test_the_page_on_labels_runs_as_it_stands(environment, stack, tmp_path):
    printed = boxes_of("labels.md", environment, stack, tmp_path)
    assert "parcels version 1 is in Production" in printed
    assert re.search(r"^(counted|waiting)$", printed, re.M), "the first label"
    accuracy = re.search(r"^40 labels, accuracy (0\.\d\d|1\.00)$", printed, re.M)
    assert accuracy is not None, printed[-2000:]
    assert float(accuracy[1]) > 0.6


@pytest.mark.slow
def test_the_notebook_runs(stack, monkeypatch):
    monkeypatch.setenv("MLOPS_API_URL", stack.api_url)
    monkeypatch.setenv("MLOPS_API_KEY", stack.api_key)
    names: dict[str, Any] = {}
    for number, cell in enumerate(NOTEBOOK["cells"]):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], "checked in without outputs"
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    assert names["job"].status == "completed"
    assert names["moved"].stage == "Production"
    assert names["many"].batch_size == 150


@pytest.mark.slow
def test_login_keeps_the_key_for_its_owner_alone(environment, stack, tmp_path):
    ran = mlops(environment, "login", stack.api_url, "--key-stdin", input=f"{stack.api_key}\n")
    assert ran.returncode == 0, ran.stderr
    kept = tmp_path / "config.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert json.loads(kept.read_text()) == {"url": stack.api_url, "key": stack.api_key}
    assert mlops(environment, "jobs").returncode == 0
    other = mlops(environment | {"MLOPS_API_URL": "http://127.0.0.1:9"}, "jobs")
    assert other.returncode == 3, "a key goes only where it was kept for"


def test_a_wrong_key_is_not_kept_and_reads_as_one_line(environment, stack, tmp_path):
    ran = mlops(environment, "login", stack.api_url, "--key-stdin", input="wrong\n")
    assert ran.returncode == 3
    assert re.fullmatch(r"error: .*not valid.*\(request [0-9a-f-]+\)\n", ran.stderr)
    assert not (tmp_path / "config.json").exists()


def test_json_is_json_and_remarks_stay_out_of_it(signed_in):
    ran = mlops(signed_in, "jobs", "--json")
    assert isinstance(json.loads(ran.stdout), list)
    ran = mlops(signed_in, "jobs", "job_999999", "--json")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "There is no job" in ran.stderr


def test_a_file_that_is_no_image_is_named(signed_in, tmp_path):
    (tmp_path / "note.txt").write_text("hello")
    ran = mlops(signed_in, "predict", str(tmp_path / "note.txt"))
    assert ran.returncode == 2
    assert re.fullmatch(r"error: \S+note\.txt: not an image that can be read.*\n", ran.stderr)


@pytest.mark.slow
def test_ctrl_c_ends_the_watch_and_not_the_job(signed_in):
    watching = subprocess.Popen(
        ["mlops", "train", "--watch", "--epochs", "100", "--model", "interrupted", "--no-register"],
        env=signed_in,
        # A shell's background job ignores SIGINT, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    job_id = watching.stdout.readline().split()[0]
    time.sleep(0.5)
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=120)
    assert watching.returncode == 130
    assert f"{job_id} continues" in said
    assert json.loads(mlops(signed_in, "jobs", job_id, "--json").stdout)["status"] in ("pending", "running")
    assert mlops(signed_in, "cancel", job_id).returncode == 0


@pytest.mark.slow
def test_a_watch_on_a_terminal_moves_and_ends_with_what_came_of_it(signed_in):
    code, written = in_terminal(
        signed_in, "train", "--watch", "--epochs", "4", "--learning-rate", "0.005", "--model", "watched"
    )
    assert code == 0, written
    assert written.count("\x1b[2K") > 4, "lines are erased and drawn again"
    assert set(re.findall(r"epoch (\d)/4", written)) >= {"4"}
    last = unstyled(written).splitlines()
    assert any("━" in line for line in last), "a bar"
    assert any(re.search(r"accuracy \d+\.\d\d%  [▁▂▃▄▅▆▇█]+", line) for line in last), "a sparkline"
    assert re.search(r"job_\d+ completed: accuracy \d+\.\d\d%", unstyled(written))
    assert "registered as watched version 1" in unstyled(written)


def test_ctrl_c_on_a_terminal_ends_the_watch_and_leaves_the_terminal_as_it_was(signed_in):
    code, written = in_terminal(
        signed_in, "train", "--watch", "--epochs", "100", "--no-register", interrupt_at="running"
    )
    assert code == 130, written
    (job_id,) = set(re.findall(r"job_\d+", written))
    assert re.search(rf"{job_id} continues\. Watch it again: mlops jobs {job_id} --watch", unstyled(written))
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l"), "the cursor is shown again"
    assert "Traceback" not in written
    assert mlops(signed_in, "cancel", job_id).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("jobs",), ("runs",)])
def test_a_list_reads_well_in_40_columns_without_colours_and_in_a_file(
    signed_in, production_model, tmp_path, arguments
):
    code, narrow = in_terminal(signed_in | {"NO_COLOR": "1"}, *arguments, columns=40)
    assert code == 0
    assert re.search(r"\x1b\[[0-9;]*(3[0-7]|38|9[0-7])[;m]", narrow) is None, "no colours"
    lines = unstyled(narrow).splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 40
    _, wide = in_terminal(signed_in, *arguments, columns=200)
    with (tmp_path / "list.txt").open("w") as file:
        ran = subprocess.run(
            ["mlops", *arguments],
            env={name: value for name, value in signed_in.items() if name != "COLUMNS"},
            stdout=file,
            timeout=120,
            check=True,
        )
    assert ran.returncode == 0
    kept = (tmp_path / "list.txt").read_text()
    assert "\x1b" not in kept
    head, *rows = kept.splitlines()
    assert " ".join(head.split("\t")).split() == unstyled(wide).splitlines()[0].split(), "all columns"
    assert {row.count("\t") for row in rows} == {head.count("\t")}, "values between tabs"


@pytest.mark.slow
def test_the_files_of_a_run_are_downloaded(signed_in, production_model, tmp_path):
    done = json.loads(mlops(signed_in, "jobs", "--status", "completed", "--limit", "1", "--json").stdout)
    job_id = done[0]["job_id"]
    listed = mlops(signed_in, "artifacts", job_id)
    assert listed.returncode == 0, listed.stderr
    sizes = {path: int(size) for path, size in (line.split("\t") for line in listed.stdout.splitlines()[1:])}
    assert sizes["model_card.md"] > 100
    ran = mlops(signed_in, "artifacts", job_id, "-o", str(tmp_path / "files"))
    assert ran.returncode == 0, ran.stderr
    assert {path: (tmp_path / "files" / path).stat().st_size for path in sizes} == sizes
    none = mlops(signed_in, "artifacts", job_id, "none.txt")
    assert (none.returncode, none.stderr.count("\n")) == (1, 1)
    assert "mlops artifacts RUN lists them" in none.stderr


@pytest.mark.slow
def test_a_key_that_was_removed_reads_as_one_line_that_says_what_to_do(signed_in, stack):
    operator = signed_in | stack.env | {"MLOPS_STACK": "mlops-local"}
    made = json.loads(mlops(operator, "keys", "create", "leaver", "--owner", "leaver", "--json").stdout)
    leaver = signed_in | {"MLOPS_API_KEY": made["key"], "NO_COLOR": "1", "COLUMNS": "40"}
    assert mlops(leaver, "jobs").returncode == 0
    assert mlops(operator, "keys", "remove", made["key_id"]).returncode == 0
    ran = mlops(leaver, "jobs")
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (3, "", 1)
    assert "sign in with another one (mlops login), or ask an operator" in ran.stderr


@pytest.mark.slow
def test_a_job_that_fails_says_why_with_exit_code_1(signed_in):
    ran = mlops(signed_in, "train", "--watch", "--dataset", "https://127.0.0.1:9/none.csv", "--model", "failing")
    assert ran.returncode == 1
    assert "failed:" in ran.stderr or "error:" in ran.stderr
    assert "Traceback" not in ran.stderr + ran.stdout


@pytest.mark.slow
def test_keys_of_every_role_are_made_listed_and_removed(signed_in, stack):
    operator = signed_in | stack.env | {"MLOPS_STACK": "mlops-local"}
    made = mlops(operator, "keys", "create", "alice", "--owner", "alice", "--role", "read", "--json")
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)["key"]
    alice = signed_in | {"MLOPS_API_KEY": key}
    assert mlops(alice, "models").returncode == 0
    refused = mlops(alice, "train")
    assert refused.returncode == 3
    assert "needs the role train, approve or admin" in refused.stderr
    listed = json.loads(mlops(operator, "keys", "list", "--json").stdout)
    (mine,) = [each for each in listed if each["name"] == "alice"]
    rotated = json.loads(mlops(operator, "keys", "rotate", "alice", "--json").stdout)
    assert rotated["old_key_ids"] == [mine["key_id"]]
    assert mlops(alice, "models").returncode == 0, "the old key works until it is removed"
    assert mlops(alice | {"MLOPS_API_KEY": rotated["key"]}, "models").returncode == 0
    for key in json.loads(mlops(operator, "keys", "list", "--json").stdout):
        if key["name"] == "alice":
            assert mlops(operator, "keys", "remove", key["key_id"]).returncode == 0
    assert "alice" not in mlops(operator, "keys", "list").stdout


def test_only_keys_of_the_stack_can_be_removed(signed_in, stack, monkeypatch):
    operator = signed_in | stack.env | {"MLOPS_STACK": "mlops-local"}
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    gateway = boto3.client("apigateway")
    foreign = gateway.create_api_key(name="of-another-application", enabled=True)["id"]
    try:
        ran = mlops(operator, "keys", "remove", foreign)
        assert ran.returncode == 2
        assert "there is no key with the id" in ran.stderr
        assert gateway.get_api_key(apiKey=foreign)["name"] == "of-another-application"
    finally:
        gateway.delete_api_key(apiKey=foreign)


def test_a_request_that_the_api_refuses_as_not_valid_is_wrong_use(signed_in):
    ran = mlops(signed_in, "train", "--epochs", "0")
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "epochs" in ran.stderr


def test_the_way_to_mlflow_turns_other_sites_away(stack):
    from mlops_client.operator import mlflow_proxy

    with mlflow_proxy.serving(stack.env["MLFLOW_TRACKING_URI"], None, 0) as (address, _):
        search = f"{address}/api/2.0/mlflow/experiments/search"
        body = {"max_results": 5}
        assert "experiments" in urllib3.request("POST", search, json=body).json()
        assert urllib3.request("GET", f"{address}/").status == 200
        for headers in ({"Origin": "https://elsewhere.example"}, {"Host": "elsewhere.example"}):
            assert urllib3.request("POST", search, json=body, headers=headers).status == 403


def test_the_client_is_installed_alone(tmp_path):
    """Its folder is copied away: nothing of the platform's own code is near."""
    shutil.copytree(ROOT / "client" / "mlops_client", tmp_path / "mlops_client")
    ran = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import mlops_client.cli"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert Path(tmp_path / "mlops_client").exists()
