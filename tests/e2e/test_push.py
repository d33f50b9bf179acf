"""A version is pushed from one stack to another: trained here, proved and promoted there, with the same answers."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
import urllib3

from infra.local import deploy
from infra.local.api import Api
from infra.local.stack import Stack
from mlops.api.schemas.pushes import PushRequest
from mlops.aws.pushed_files import PushedFiles
from mlops.registry.pushed_runs import PushedRuns
from mlops_client import Client, pushing
from mlops_client.errors import Conflict, Forbidden
from pushes.registration import Registrations
from tests.conftest import RunningStack
from tests.support.crashes import Crash, Effects
from tests.support.keys import make_key
from tests.support.steps import promote, train

pytestmark = pytest.mark.slow  # a stack of its own

MODEL = "pushed-churn"
ROWS = [
    {"plan": plan, "fee": fee, "calls": calls}
    for plan in ("basic", "business", None, "unseen")
    for fee in (10, 88, None)
    for calls in (0, 3, 9)
]


@pytest.fixture(scope="module")
def other(make_settings) -> RunningStack:
    """The stack that versions are pushed to."""
    settings = make_settings()
    return RunningStack(settings, Stack(settings, say=lambda text: None).up())


@pytest.fixture(scope="module")
def there(other) -> Api:
    return Api(other.api_url, other.api_key)


@pytest.fixture(scope="module")
def source(stack) -> Client:
    return Client(stack.api_url, stack.api_key)


@pytest.fixture(scope="module")
def target(other) -> Client:
    return Client(other.api_url, other.api_key)


def _trained(api: Api, address: str, model: str, seed: int = 0) -> dict[str, Any]:
    job = train(
        api,
        dataset=address,
        target="churned",
        model_type="lightgbm",
        hyperparameters={"n_estimators": 20},
        seed=seed,
        model_name=model,
        experiment_name="pushes",
    )
    assert job["status"] == "completed", job["error"]
    return job


@pytest.fixture(scope="module")
def address(aws_client, outputs) -> str:
    """The data set, which only the first stack has."""
    plans = ("basic", "family", "business")
    lines = [
        f"{plans[n % 3]},{10 + n * 37 % 80},{n * 11 % 10},{'yes' if n % 3 == 0 and n * 11 % 10 > 4 else 'no'}"
        for n in range(600)
    ]
    table = "\n".join(["plan,fee,calls,churned", *lines]) + "\n"
    bucket = outputs["ArtifactBucketName"]
    aws_client("s3").put_object(Bucket=bucket, Key="datasets/pushes/churn.csv", Body=table.encode())
    return f"s3://{bucket}/datasets/pushes/churn.csv"


@pytest.fixture(scope="module")
def trained(api, address) -> dict[str, Any]:
    """A version that is in Production on the first stack."""
    job = _trained(api, address, MODEL)
    moved = promote(api, job["model_version"], model=MODEL, reason="first")
    assert moved["status"] == "succeeded", moved
    return job


@pytest.fixture(scope="module")
def pushed(trained, source, target) -> pushing.Pushed:
    return pushing.push(source, target, MODEL, trained["model_version"])


@pytest.fixture(scope="module")
def promoted(pushed, there) -> dict[str, Any]:
    moved = promote(there, pushed.version, model=MODEL, reason="pushed")
    assert moved["status"] == "succeeded", moved
    return moved


def test_the_version_is_registered_there_with_its_run_and_where_it_is_from(trained, pushed, source, target):
    mine, its = source.model(MODEL).versions[0], target.model(MODEL).versions[0]
    assert (pushed.created, its.stage, its.sha256) == (True, "Registered", mine.sha256)
    assert pushed.sha256 == mine.sha256
    assert its.objective == mine.objective
    before, after = source.run("pushes", mine.run_id), target.run("pushes", its.run_id)
    assert (after.params, after.metrics, after.run_name) == (before.params, before.metrics, before.run_name)
    assert after.status == "finished"
    assert after.tags["mlops.pushed_from"] == f"{source.url} {MODEL} version {mine.version}, sha256 {mine.sha256}"
    assert after.tags["mlops.pushed_run"] == mine.run_id
    assert "mlops.job_id" not in after.tags, "the other stack has no such job"
    names = {file.path for file in before.artifacts}
    assert {"proof.npz", "explain.npz", "model_card.md", "model/model.onnx"} <= names
    assert {file.path: file.size for file in after.artifacts} == {file.path: file.size for file in before.artifacts}
    places = ((source, before.run_id), (target, after.run_id))
    cards = [client.artifacts("pushes", run_id, "model_card.md")[0] for client, run_id in places]
    assert len({urllib3.request("GET", card.url).data for card in cards}) == 1


def test_the_other_gate_proves_it_again_and_it_answers_bit_for_bit(promoted, api, there):
    checks = {gate["check"]: gate for gate in promoted["gates"]}
    assert checks["proof"]["passed"]
    assert checks["proof"]["detail"].startswith("0 of ")
    for row in ROWS:
        body = {"row": row, "model_name": MODEL}
        mine, its = (each.post("/predict?explain=true", body) for each in (api, there))
        for answer in (mine, its):
            for own in ("prediction_id", "request_id", "latency_ms", "cached"):
                answer.pop(own, None)
        assert mine == its, row


def test_a_version_is_there_once_however_often_it_is_pushed(pushed, trained, source, target, other):
    again = pushing.push(source, target, MODEL, trained["model_version"])
    assert (again.version, again.created, again.sha256) == (pushed.version, False, pushed.sha256)
    assert [each.version for each in target.model(MODEL).versions] == [pushed.version]
    told = _command(source, other, f"{MODEL}@{trained['model_version']}")
    assert told.returncode == 0, told.stderr
    assert f"was there before, as version {pushed.version} of {other.api_url}" in told.stdout
    assert f"SHA-256 {pushed.sha256}" in told.stderr


def _command(source: Client, other: RunningStack, what: str) -> subprocess.CompletedProcess[str]:
    variables = {"MLOPS_API_URL": source.url, "MLOPS_API_KEY": str(source.transport.key), "MLOPS_TO_KEY": other.api_key}
    return subprocess.run(
        [sys.executable, "-m", "mlops_client", "push", what, "--to", other.api_url],
        env={**os.environ, **variables, "PYTHONPATH": "client:layers/core/python"},
        capture_output=True,
        text=True,
    )


def test_two_who_push_at_once_register_one_version(api, address, source, target):
    model = "pushed-at-once"
    version = _trained(api, address, model, seed=1)["model_version"]

    def one(_: int) -> int:
        while True:
            try:
                return pushing.push(source, target, model, version).version
            except Conflict:  # another one registers it at this moment
                time.sleep(0.5)

    with ThreadPoolExecutor(3) as pool:
        numbers = set(pool.map(one, range(3)))
    assert numbers == {1}
    assert [each.version for each in target.model(model).versions] == [1]


def test_a_key_that_may_only_read_is_refused_with_the_remedy(trained, source, other):
    reader = Client(other.api_url, make_key(other.env, "reader", "read", owner="reader"))
    with pytest.raises(Forbidden, match=f"A push needs a key of that stack with the role train, for the model {MODEL}"):
        pushing.push(source, reader, MODEL, trained["model_version"])


class DyingRuns(PushedRuns):
    """MLflow's client in a process that dies right after a call that changes something."""

    def __init__(self, uri: str, effects: Effects) -> None:
        super().__init__(uri, 20)
        self._effects = effects

    def _call(self, method: str, path: str, *arguments: Any, **named: Any) -> dict[str, Any]:
        answer = super()._call(method, path, *arguments, **named)
        if method != "GET" and not path.endswith("/search"):
            self._effects.happened(path)
        return answer


class DyingFiles(PushedFiles):
    def __init__(self, bucket: str, effects: Effects) -> None:
        super().__init__(bucket)
        self._effects = effects

    def copy(self, folder: str, files: Any) -> None:
        for file in files:
            super().copy(folder, [file])
            self._effects.happened("copy")


def test_an_interrupted_push_leaves_nothing_registered_and_goes_on(
    api, address, source, target, there, other, monkeypatch
):
    model = "pushed-in-pieces"
    version = _trained(api, address, model, seed=2)["model_version"]
    receive, upload = target.receive_push, target.transport.upload
    documents: list[dict[str, Any]] = []

    # The sender dies when the first content is there, and then when all are.
    def dying_upload(*arguments: Any) -> None:
        upload(*arguments)
        raise Crash("upload")

    def dying_push(name: str, document: dict[str, Any]) -> Any:
        documents.append(document)
        if len(documents) == 3:
            raise Crash("before the version is registered")
        return receive(name, document)

    monkeypatch.setattr(target, "receive_push", dying_push)
    monkeypatch.setattr(target.transport, "upload", dying_upload)
    with pytest.raises(Crash):
        pushing.push(source, target, model, version)
    monkeypatch.setattr(target.transport, "upload", upload)
    with pytest.raises(Crash):
        pushing.push(source, target, model, version)
    assert there.send("GET", f"/models/{model}").status == 404
    before = {run.run_id for run in target.runs("pushes")}

    # Now the function dies, after each of its calls that change something.
    request = PushRequest.model_validate(documents[-1])
    folder = f"{model}/{request.digest}"
    for name, value in other.env.items():
        monkeypatch.setenv(name, value)
    boto3.DEFAULT_SESSION = None
    effects = Effects()
    bucket = deploy.describe(other.settings).outputs["ArtifactBucketName"]
    registrations = Registrations(DyingRuns(other.settings.tracking_url, effects), DyingFiles(bucket, effects))
    assert registrations._files.missing(folder, request.contents) == []
    deaths = 0
    while True:
        effects.begin(deaths + 1)
        try:
            number = registrations._register(model, request, "ann", folder)
            break
        except Crash:
            deaths += 1
            assert deaths < 100, effects.seen
    assert deaths > len(request.model), effects.seen
    assert number == 1
    assert pushing.push(source, target, model, version).created is False
    assert [each.version for each in target.model(model).versions] == [1]
    made = [target.run("pushes", run.run_id) for run in target.runs("pushes") if run.run_id not in before]
    assert [(run.status, run.run_id) for run in made] == [("finished", target.model(model).versions[0].run_id)]
    moved = promote(there, 1, model=model, reason="pushed in pieces")
    assert moved["status"] == "succeeded", moved
