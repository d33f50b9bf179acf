"""A stack is backed up, reset and restored: everything answers as before, also after interruptions."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3

from infra.local import deploy
from infra.local.api import Api
from infra.local.settings import ROOT, STACK_NAME
from infra.local.stack import Stack
from tests.conftest import RunningStack
from tests.support.keys import make_key
from tests.support.steps import promote, train

pytestmark = pytest.mark.slow  # a stack of its own

MODEL, EXPERIMENT = "kept", "kept-experiment"
ROWS = [
    {"plan": plan, "fee": fee, "calls": calls}
    for plan in ("basic", "business", None, "unseen")
    for fee in (10, 88, None)
    for calls in (0, 9)
]
OF_AN_ANSWER = ("prediction_id", "request_id", "latency_ms", "cached")
ROUTES = (
    "/models",
    f"/models/{MODEL}",
    f"/models/{MODEL}/history?verify=true",
    f"/models/{MODEL}/settings",
    f"/models/{MODEL}/contract",
    f"/models/{MODEL}/rollouts",
    "/train/jobs",
    "/sweeps",
    "/experiments",
    f"/experiments/{EXPERIMENT}",
    "/batch-predictions",
)


@dataclass
class World:
    """A stack, what it answered before it was reset, and the folder of its backup."""

    running: RunningStack
    folder: Path
    bucket: str
    answers: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def api(self) -> Api:
        return Api(self.running.api_url, self.running.api_key)

    def command(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "mlops_client", *arguments, "--stack", STACK_NAME],
            env={**os.environ, **self.running.env, "PYTHONPATH": f"{ROOT}/client:{ROOT}/layers/core/python"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def done(self, *arguments: str) -> tuple[int, str, str]:
        process = self.command(*arguments)
        said, told = process.communicate(timeout=600)
        return process.returncode, said, told

    def killed(self, after: str, *arguments: str) -> None:
        """Kill a command when it has said something."""
        process = self.command(*arguments)
        assert process.stderr is not None
        for line in process.stderr:
            if after in line:
                process.send_signal(signal.SIGKILL)
                break
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, "it has ended before it was killed"

    def queue_state(self) -> str:
        function = deploy.physical_ids(self.running.settings)["PromotionFunction"]
        client = deploy.client(self.running.settings, "lambda")
        return str(client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"][0]["State"])


def bucket_of(running: RunningStack) -> str:
    return deploy.physical_ids(running.settings)["ArtifactBucket"]


def ask(world: World) -> tuple[dict[str, Any], dict[str, bytes]]:
    """All that the API answers, with the bucket by one name, and the bytes of the files of each run."""
    api = world.api

    def plain(answer: Any) -> Any:
        return json.loads(json.dumps(answer).replace(world.bucket, "THE-BUCKET"))

    answers = {route: plain(api.get(route)) for route in ROUTES}
    files = {}
    for run in api.get(f"/experiments/{EXPERIMENT}")["runs"]:
        route = f"/experiments/{EXPERIMENT}/runs/{run['run_id']}"
        answers[route] = plain(api.get(route))
        for file in api.get(f"{route}/artifacts")["artifacts"]:
            files[f"{run['run_id']}/{file['path']}"] = urllib3.request("GET", file["url"]).data
    for number, row in enumerate(ROWS):
        for explain in ("true", "false"):
            answer = api.post(f"/predict?explain={explain}", {"row": row, "model_name": MODEL})
            answers[f"predict {number} {explain}"] = {
                key: value for key, value in answer.items() if key not in OF_AN_ANSWER
            }
    return answers, files


@pytest.fixture(scope="module")
def world(make_settings: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory) -> World:
    """A stack with jobs, a sweep, runs, versions, transitions back and forth, settings, and a batch prediction."""
    settings = make_settings()
    running = RunningStack(settings, Stack(settings, say=lambda text: None).up())
    world = World(running, tmp_path_factory.mktemp("backups") / "whole", bucket_of(running))
    plans = ("basic", "family", "business")
    lines = [
        f"{plans[n % 3]},{10 + n * 37 % 80},{n * 11 % 10},{'yes' if n % 3 == 0 and n * 11 % 10 > 4 else 'no'}"
        for n in range(600)
    ]
    s3 = deploy.client(settings, "s3")
    table = "\n".join(["plan,fee,calls,churned", *lines]) + "\n"
    s3.put_object(Bucket=world.bucket, Key="datasets/kept/churn.csv", Body=table.encode(), Metadata={"by": "ann"})
    s3.put_object(Bucket=world.bucket, Key="datasets/kept/old.csv", Body=b"old")
    s3.delete_object(Bucket=world.bucket, Key="datasets/kept/old.csv")
    asked = {
        "dataset": f"s3://{world.bucket}/datasets/kept/churn.csv",
        "target": "churned",
        "model_type": "lightgbm",
        "model_name": MODEL,
        "experiment_name": EXPERIMENT,
    }
    for seed in (1, 2):
        job = train(world.api, hyperparameters={"n_estimators": 10 * seed}, seed=seed, **asked)
        assert job["status"] == "completed", job["error"]
        moved = promote(world.api, job["model_version"], model=MODEL, reason=f"seed {seed}", force=True)
        assert moved["status"] == "succeeded", moved
    body = {"expected_version": 0, "settings": {"description": "kept"}, "reason": "to keep it"}
    assert world.api.send("PUT", f"/models/{MODEL}/settings", body).status == 200
    back = world.api.post(f"/models/{MODEL}/rollback?wait=20", {"reason": "back"})
    assert back["status"] == "succeeded", back
    make_key(running.env, "bob", "train", owner="team", models=["kept*"])
    world.answers, world.files = ask(world)
    assert world.answers[f"/models/{MODEL}/history?verify=true"]["verification"]["valid"]
    assert len(world.files) > 10
    return world


@pytest.fixture(scope="module")
def whole(world: World) -> World:
    """A backup that was killed in the middle, and finished."""
    world.killed("tables,", "backup", str(world.folder))
    assert world.queue_state() == "Disabled"
    assert not (world.folder / "manifest.json").exists()
    code, _, told = world.done("restore", str(world.folder))
    assert (code, "so it is no whole backup: finish it with" in told) == (2, True), told
    # A transition that is asked for meanwhile waits, and is carried out when the queue is started again.
    asked = world.api.post("/models/transition", {"model_name": MODEL, "version": 2, "stage": "Staging"})
    code, said, told = world.done("backup", str(world.folder))
    assert code == 0, told
    assert "a backup or a restore was killed and had left the promotion queue stopped; it was started again" in told
    assert "has a whole backup" in said
    assert world.queue_state() == "Enabled"
    route = f"/models/transitions/{asked['transition_id']}"
    moved = world.api.wait(route, until=lambda each: each["status"] != "queued", seconds=120)
    assert moved["status"] == "succeeded", moved
    return world


@pytest.fixture(scope="module")
def again(whole: World) -> World:
    """Another backup, of the stack as it is at the end."""
    whole.answers, whole.files = ask(whole)
    whole.folder = whole.folder.with_name("last")
    code, _, told = whole.done("backup", str(whole.folder))
    assert code == 0, told
    return whole


def test_a_backup_has_no_keys_and_nobody_else_can_read_it(again: World) -> None:
    manifest = json.loads((again.folder / "manifest.json").read_text())
    assert {(key["name"], key["owner"], key["role"]) for key in manifest["keys"]} >= {("bob", "team", "train")}
    assert manifest["bucket"] == again.bucket
    values = again.running.api_key.encode()
    assert not any(values in path.read_bytes() for path in again.folder.rglob("*") if path.is_file())
    assert again.folder.stat().st_mode & 0o077 == 0


def test_a_whole_backup_is_not_overwritten_and_a_used_stack_not_restored_into(again: World) -> None:
    code, _, told = again.done("backup", str(again.folder))
    assert (code, "has a whole backup already: name a new folder" in told) == (2, True), told
    code, _, told = again.done("restore", str(again.folder))
    assert (code, "the stack is not empty, and nothing was restored: it has items in JobsTable" in told) == (2, True), (
        told
    )
    assert f"objects in s3://{again.bucket}/mlflow/" in told
    assert ask(again) == (again.answers, again.files)


@pytest.fixture(scope="module")
def emptied(again: World) -> World:
    """The same stack, made anew. Its bucket has another name."""
    settings = again.running.settings
    stack = Stack(settings, say=lambda text: None)
    stack.reset()
    again.running = RunningStack(settings, stack.up())
    return again


def test_a_file_that_was_changed_is_named_and_nothing_is_restored(emptied: World) -> None:
    copy = emptied.folder.with_name("tampered")
    shutil.copytree(emptied.folder, copy)
    content = next(path for path in (copy / "contents").rglob("*") if path.is_file() and path.stat().st_size > 1000)
    changed = bytearray(content.read_bytes())
    changed[500] ^= 1
    content.write_bytes(changed)
    code, _, told = emptied.done("restore", str(copy))
    assert (code, f"{content} was changed" in told) == (2, True), told
    (copy / "tables/JobsTable.jsonl").unlink()
    code, _, told = emptied.done("restore", str(copy))
    assert (code, f"{copy}/tables/JobsTable.jsonl is missing" in told) == (2, True), told
    assert emptied.api.get("/models")["models"] == []


def test_everything_answers_as_before(emptied: World) -> None:
    emptied.killed("the database,", "restore", str(emptied.folder))
    assert emptied.queue_state() == "Disabled"
    code, said, told = emptied.done("backup", "--resume-queue")
    assert (code, said) == (0, "the promotion queue is started\n"), told
    assert emptied.queue_state() == "Enabled"
    code, said, told = emptied.done("restore", str(emptied.folder))
    assert code == 0, told
    assert "goes on with the restore that was interrupted" in told
    assert "make this key again: mlops keys create 'bob' --owner 'team' --role train --models 'kept*'" in told
    assert emptied.queue_state() == "Enabled"

    former, emptied.bucket = emptied.bucket, bucket_of(emptied.running)
    assert former != emptied.bucket, "else nothing has to be named anew"
    answers, files = ask(emptied)
    assert answers.keys() == emptied.answers.keys()
    for route, answer in emptied.answers.items():
        assert json.loads(json.dumps(answers[route]).replace(former, "THE-BUCKET")) == answer, route
    assert files == emptied.files
    jobs = json.dumps(emptied.api.get("/train/jobs"))
    assert f"s3://{emptied.bucket}/datasets/kept/churn.csv" in jobs
    assert former not in jobs
    s3 = deploy.client(emptied.running.settings, "s3")
    found = s3.head_object(Bucket=emptied.bucket, Key="datasets/kept/churn.csv")
    assert found["Metadata"] == {"by": "ann"}

    # And it goes on: the next job, run and version get new numbers, and the history has a next entry.
    job = train(
        emptied.api,
        dataset=f"s3://{emptied.bucket}/datasets/kept/churn.csv",
        target="churned",
        model_type="lightgbm",
        model_name=MODEL,
        experiment_name=EXPERIMENT,
    )
    assert job["status"] == "completed", job["error"]
    assert job["model_version"] == 3
    moved = promote(emptied.api, 2, model=MODEL, reason="after the restore")
    assert moved["status"] == "succeeded", moved
    assert emptied.api.get(f"/models/{MODEL}/history?verify=true")["verification"]["valid"]
    code, _, told = emptied.done("restore", str(emptied.folder))
    assert (code, "was restored into this stack before" in told) == (2, True), told
