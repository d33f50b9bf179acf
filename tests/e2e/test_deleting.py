"""A version and a model are deleted and restored over the whole local stack."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.local import deploy
from infra.local.api import Api
from mlops_client import ApiError, Client
from tests.support import installed_client
from tests.support.steps import promote, train, wait_until_served

pytestmark = [pytest.mark.stack, pytest.mark.slow]
MODEL = "deleting"
IMAGE = [0.0] * 784


@pytest.fixture(scope="module")
def versions(api: Api) -> tuple[int, int]:
    """Two versions, of which the second is in Production and the first was before."""
    jobs = [train(api, epochs=1, dataset="digits", model_name=MODEL, experiment_name=MODEL) for _ in range(2)]
    assert [job["status"] for job in jobs] == ["completed"] * 2
    first, second = (job["model_version"] for job in jobs)
    for version in (first, second):
        assert promote(api, version, model=MODEL, force=True, reason="test")["status"] == "succeeded"
    return first, second


def listed(api: Api) -> list[int]:
    return [version["version"] for version in api.get(f"/models/{MODEL}")["versions"]]


def test_a_version_goes_into_the_bin_and_comes_back(api: Api, versions: tuple[int, int]) -> None:
    first, second = versions
    route = f"/models/{MODEL}/versions"
    refused = api.send("DELETE", f"{route}/{second}?reason=test&force=true")
    assert (refused.status, refused.json["code"]) == (409, "in_use")
    protected = api.send("DELETE", f"{route}/{first}?reason=test")
    assert (protected.status, "brought back by a rollback" in protected.json["detail"]) == (409, True)
    deleted = api.send("DELETE", f"{route}/{first}?reason=test&force=true")
    assert deleted.status == 200, deleted.json
    assert listed(api) == [second]
    (model,) = [model for model in api.get("/models?limit=200")["models"] if model["name"] == MODEL]
    assert model["versions"] == 1
    for wish, body in (
        ("/models/transition", {"model_name": MODEL, "version": first, "stage": "Staging"}),
        (f"/models/{MODEL}/rollback", {}),
        (f"/models/{MODEL}/rollouts", {"version": first, "steps": [{"weight": 5, "minutes": 30}]}),
        (f"{route}/{first}/conversion", {}),
    ):
        answer = api.send("POST", wish, body)
        assert (answer.status, f"restore it with POST {route}/{first}/restore" in answer.json["detail"]) == (409, True)
    pinned = api.send("POST", f"/v2/models/{MODEL}/versions/{first}/infer", infer())
    assert (pinned.status, f"Version {first}" in str(pinned.json)) == (409, True)

    assert api.send("POST", f"{route}/{first}/restore", {"reason": "it was right"}).status == 200
    assert listed(api) == [second, first]
    back = api.post(f"/models/{MODEL}/rollback?wait=20", {})
    assert (back["status"], back["version"]) == ("succeeded", first)
    wait_until_served(api, MODEL, first, IMAGE)
    history = api.get(f"/models/{MODEL}/history?verify=true")
    assert history["verification"]["valid"], history["verification"]


def infer() -> dict[str, Any]:
    return {"inputs": [{"name": "image", "shape": [1, 784], "datatype": "FP32", "data": IMAGE}]}


def test_the_client_and_the_command_do_the_same(
    stack: Any, api: Api, versions: tuple[int, int], tmp_path: Path
) -> None:
    first, _ = versions
    third = train(api, epochs=1, dataset="digits", model_name=MODEL, experiment_name=MODEL)["model_version"]
    client = Client(stack.api_url, stack.api_key)
    with pytest.raises(ApiError) as refused:
        client.delete_version(first, MODEL, "test", force=True)
    assert (refused.value.code, "has the alias production" in refused.value.detail) == ("in_use", True)
    entry = client.delete_version(third, MODEL, "test")
    assert [each.version for each in client.bin() if each.name == MODEL] == [third]
    assert (entry.reason, entry.state) == ("test", "kept")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")},
        **installed_client.variables(tmp_path / "bin"),
        "MLOPS_CONFIG": str(tmp_path / "config.json"),
        "MLOPS_API_URL": stack.api_url,
        "MLOPS_API_KEY": stack.api_key,
        "COLUMNS": "120",
    }

    def mlops(*arguments: str) -> tuple[int, str]:
        ran = subprocess.run(
            ["mlops", *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        return ran.returncode, ran.stdout + ran.stderr

    code, said = mlops("promote", str(third), "--model", MODEL, "--stage", "Staging")
    assert (code, f"restore it with mlops bin restore {MODEL}@{third}" in said) == (1, True)
    assert mlops("bin", "restore", f"{MODEL}@{third}") == (0, f"{MODEL} version {third} is restored\n")
    code, said = mlops("delete", f"{MODEL}@{third}", "--reason", "test")
    assert (code, f"mlops bin restore {MODEL}@{third}" in said) == (0, True)
    assert f"{MODEL} version {third}" in mlops("bin", "list")[1]
    assert client.restore_version(third, MODEL).version == third
    assert mlops("bin", "restore", f"{MODEL}@{third}")[0] == 1, "it is not there any more"


def test_a_model_goes_into_the_bin_with_its_versions(api: Api, versions: tuple[int, int]) -> None:
    job = train(api, epochs=1, dataset="digits", model_name=f"{MODEL}-whole", experiment_name=MODEL)
    name, route = job["model_name"], f"/models/{job['model_name']}"
    assert api.send("DELETE", f"{route}?reason=test").status == 200
    gone = api.send("GET", route)
    assert (gone.status, f"restore it with POST {route}/restore" in gone.json["detail"]) == (410, True)
    assert name not in {model["name"] for model in api.get("/models?limit=200")["models"]}
    assert name in {entry["name"] for entry in api.get("/bin")["entries"]}
    again = train(api, epochs=1, dataset="digits", model_name=name, experiment_name=MODEL)
    assert again["model_version"] == job["model_version"] + 1
    assert [each["version"] for each in api.get(route)["versions"]] == [again["model_version"]], "numbers go on"
    assert api.send("POST", f"{route}/restore", {}).status == 200
    assert [each["version"] for each in api.get(route)["versions"]] == [2, 1]


def test_a_run_and_its_experiment_go_into_the_bin_and_come_back(api: Api) -> None:
    name = f"{MODEL}-lab"
    made, alone = (
        train(api, epochs=1, dataset="digits", model_name=name, experiment_name=name, register=register)
        for register in (True, False)
    )
    experiment, run = f"/experiments/{name}", f"/experiments/{name}/runs/{alone['run_id']}"
    kept = api.send("DELETE", f"{experiment}/runs/{made['run_id']}?reason=test")
    assert (kept.status, kept.json["kept"][0]["model_name"]) == (409, name)
    assert api.send("DELETE", f"{run}?reason=test").status == 200
    assert [each["run_id"] for each in api.get(experiment)["runs"]] == [made["run_id"]]
    gone = api.send("GET", run)
    assert (gone.status, "/restore" in gone.json["detail"]) == (410, True)
    assert api.send("DELETE", f"{experiment}?reason=test").status == 409
    assert api.send("DELETE", f"/models/{name}?reason=test").status == 200
    assert api.send("DELETE", f"{experiment}?reason=test").status == 200
    assert api.send("GET", experiment).status == 410
    assert name not in {each["name"] for each in api.get("/experiments?limit=200")["experiments"]}
    assert api.send("POST", f"{experiment}/restore", {}).status == 200
    assert [each["run_id"] for each in api.get(experiment)["runs"]] == [made["run_id"]], "the other one stays"
    assert api.send("POST", f"{run}/restore", {}).status == 200
    assert api.get(experiment)["total_count"] == 2
    assert api.send("POST", f"/models/{name}/restore", {}).status == 200


def test_a_cleanup_purges_what_was_30_days_in_the_bin_and_numbers_go_on(
    api: Api, stack: Any, outputs: dict[str, str]
) -> None:
    name = f"{MODEL}-purged"
    subject = {"epochs": 1, "dataset": "digits", "model_name": name, "experiment_name": name}
    # Two rates, so that they have different files.
    first, second = (train(api, learning_rate=rate, **subject)["model_version"] for rate in (0.002, 0.004))
    for version in (first, second):
        assert promote(api, version, model=name, force=True, reason="test")["status"] == "succeeded"
    rules = {"expected_version": 0, "settings": {"retention": {"keep_versions": 1}}, "reason": "test"}
    assert api.send("PUT", f"/models/{name}/settings", rules).status == 200
    physical, client = deploy.physical_ids(stack.settings), deploy.client
    s3, bucket = client(stack.settings, "s3"), outputs["ArtifactBucketName"]

    def cleaned() -> dict[str, Any]:
        """The report of a cleanup."""
        lambdas = client(stack.settings, "lambda")
        event = json.dumps({"task": "cleanup"}).encode()
        answer = lambdas.invoke(FunctionName=physical["CleanupFunction"], Payload=event)
        assert "FunctionError" not in answer, answer["Payload"].read()
        report: dict[str, Any] = api.get("/cleanups?limit=1")["cleanups"][0]
        return report

    kept = [each for each in cleaned()["kept"] if each.startswith(f"{name}@{first}: ")]
    assert "can be brought back by a rollback" in kept[0], "the rules wait for 30 days"
    sha256 = next(each["sha256"] for each in api.get(f"/models/{name}")["versions"] if each["version"] == first)
    run_id = next(each["run_id"] for each in api.get(f"/models/{name}")["versions"] if each["version"] == first)
    files = api.get(f"/experiments/{name}/runs/{run_id}/artifacts")["artifacts"]
    assert {"model_card.md", "model/model.onnx"} <= {each["path"] for each in files}
    assert api.send("DELETE", f"/models/{name}/versions/{first}?reason=test&force=true").status == 200
    client(stack.settings, "dynamodb").update_item(
        TableName=physical["GovernanceTable"],
        Key={"part": {"S": "#bin"}, "item": {"S": f"version/{first}/{name}"}},
        UpdateExpression="SET #until = :past",
        ExpressionAttributeNames={"#until": "until"},
        ExpressionAttributeValues={":past": {"S": "2026-01-01T00:00:00.000Z"}},
    )
    report = cleaned()
    assert (report["purged"], report["failed"]) == ([f"Version {first} of {name!r}"], [])
    assert report["freed_bytes"] > 100_000
    left = {each["path"] for each in api.get(f"/experiments/{name}/runs/{run_id}/artifacts")["artifacts"]}
    assert "model/model.onnx" not in left
    assert "model_card.md" in left, "the run stays"
    versions = s3.list_object_versions(Bucket=bucket, Prefix=f"serving/{name}/{sha256}")
    assert "Versions" not in versions
    assert api.send("POST", f"/models/{name}/versions/{first}/restore", {}).status == 404
    assert api.post("/predict", {"image": IMAGE, "model_name": name})["model_version"] == second
    third = train(api, **subject)["model_version"]
    assert third == second + 1
    assert api.get(f"/models/{name}/history?verify=true")["verification"]["valid"]
