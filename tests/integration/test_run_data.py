"""What a run has read, what came of it, and what people note about it, on the pinned MLflow."""

import base64
import json
import uuid
from typing import Any

import pytest
import urllib3

from infra.local.api import Api
from tests.support.keys import make_key

pytestmark = pytest.mark.slow


def logged(mlflow: Any, experiment_id: str, name: str, digest: str, started: int) -> str:
    run = {"experiment_id": experiment_id, "run_name": f"{name} {started}", "start_time": started}
    run_id: str = mlflow._post("runs/create", run)["run"]["info"]["run_id"]
    dataset = {"name": name, "digest": digest, "source_type": "local", "source": json.dumps({"uri": name})}
    tags = [{"key": "mlflow.data.context", "value": "training"}]
    mlflow._post("runs/log-inputs", {"run_id": run_id, "datasets": [{"dataset": dataset, "tags": tags}]})
    return run_id


@pytest.fixture(scope="module")
def used(mlflow: Any) -> dict[str, Any]:
    """Two experiments whose runs share a data set; its content has changed once, and one run was deleted."""
    suffix = uuid.uuid4().hex[:6]
    names = [f"data-{suffix}-{letter}" for letter in "ab"]
    ids = [mlflow._post("experiments/create", {"name": name})["experiment_id"] for name in names]
    runs = [logged(mlflow, ids[0], f"table {suffix}", "old", 1_000)]
    runs += [logged(mlflow, ids[place], f"table {suffix}", "new", 2_000 + place) for place in (0, 1)]
    mlflow._post("runs/delete", {"run_id": logged(mlflow, ids[1], f"table {suffix}", "new", 3_000)})
    return {"names": names, "runs": runs, "table": f"table {suffix}"}


def all_datasets(api: Api, limit: int = 200) -> list[dict[str, Any]]:
    found, cursor = [], ""
    while True:
        page = api.get(f"/datasets?limit={limit}{cursor}")
        found += page["datasets"]
        if page["next_cursor"] is None:
            assert page["total_count"] == len(found)
            return found
        cursor = f"&cursor={page['next_cursor']}"


def test_data_sets_are_listed_with_their_runs_by_content(api, used):
    mine = [each for each in all_datasets(api) if each["name"] == used["table"]]
    assert [(each["digest"], each["runs"]) for each in mine] == [("new", 2), ("old", 1)], "the newest first"
    new, old = mine
    assert (new["experiments"], old["experiments"]) == (used["names"], used["names"][:1])
    assert [run["run_id"] for run in new["latest_runs"]] == used["runs"][:0:-1]
    assert {run["experiment_name"] for run in new["latest_runs"]} == set(used["names"])
    assert new["last_used_at"].startswith("1970-01-01T00:00:02.001")
    assert all_datasets(api, limit=1) == all_datasets(api), "in pages as in one"


def test_a_key_sees_the_data_of_its_own_experiments(stack, used):
    name = f"data-{uuid.uuid4().hex[:6]}"
    own = Api(stack.api_url, make_key(stack.env, name, "read", owner=name, models=[used["names"][1]]))
    (seen,) = own.get("/datasets")["datasets"]
    assert (seen["digest"], seen["runs"], seen["experiments"]) == ("new", 1, used["names"][1:])
    assert [run["run_id"] for run in seen["latest_runs"]] == used["runs"][2:]


def test_a_trained_run_names_its_data_and_its_versions(api, production_model):
    run = api.get(f"/experiments/{production_model['experiment_name']}/runs/{production_model['run_id']}")
    ((name, digest, context),) = [(each["name"], each["digest"], each["context"]) for each in run["datasets"]]
    assert (name, context, len(digest)) == ("digits", "training", 36)
    (version,) = run["versions"]
    assert (version["model_name"], version["version"]) == (
        production_model["model_name"],
        production_model["model_version"],
    )
    assert version["stage"] in ("Production", "Archived")
    versions = api.get(f"/models/{version['model_name']}?limit=200")["versions"]
    (back,) = [each for each in versions if each["version"] == version["version"]]
    assert (back["run_id"], back["experiment_name"]) == (run["run_id"], production_model["experiment_name"])


def test_a_key_for_the_model_only_is_not_told_the_experiment(stack, production_model):
    model, name = production_model["model_name"], f"model-{uuid.uuid4().hex[:6]}"
    assert model != production_model["experiment_name"]
    own = Api(stack.api_url, make_key(stack.env, name, "read", owner=name, models=[model]))
    assert {version["experiment_name"] for version in own.get(f"/models/{model}")["versions"]} == {None}


def test_notes_and_tags_are_mlflows(api, mlflow, used):
    route = f"/experiments/{used['names'][0]}/runs/{used['runs'][0]}"
    change = {"tags": {"reviewed by": "bo", "team/name": "ü"}, "note": "# old data"}
    answer = api.send("PATCH", route, change)
    assert answer.status == 200, answer
    tags = mlflow.run(used["runs"][0])["tags"]
    assert (tags["reviewed by"], tags["team/name"], tags["mlflow.note.content"]) == ("bo", "ü", "# old data")
    assert api.send("PATCH", route, {"tags": {"team/name": None}, "note": ""}).status == 200
    tags = mlflow.run(used["runs"][0])["tags"]
    assert tags["reviewed by"] == "bo"
    assert not {"team/name", "mlflow.note.content"} & tags.keys()
    assert api.get(route)["tags"]["reviewed by"] == "bo"
    other = f"/experiments/{used['names'][1]}/runs/{used['runs'][0]}"
    assert api.send("PATCH", other, {"note": "x"}).status == 404


def test_a_small_file_comes_in_the_answer_and_a_large_one_has_an_address(api, production_model, aws_client, outputs):
    route = f"/experiments/{production_model['experiment_name']}/runs/{production_model['run_id']}"
    run = api.get(route)
    picture = api.get(f"{route}/artifacts/content?path=confusion.png")
    assert picture["media_type"] == "image/png"
    assert base64.b64decode(picture["content"])[:4] == b"\x89PNG"
    assert picture["size"] == len(base64.b64decode(picture["content"]))
    card = api.get(f"{route}/artifacts/content?path=model_card.md")
    assert base64.b64decode(card["content"]).startswith(f"# {production_model['model_name']}".encode())
    missing = api.send("GET", f"{route}/artifacts/content?path=../model_card.md")
    assert (missing.status, "The run has no file" in missing.json["detail"]) == (404, True)
    large = {
        "Bucket": outputs["ArtifactBucketName"],
        "Key": f"mlflow/{run['experiment_id']}/{run['run_id']}/artifacts/large.bin",
    }
    aws_client("s3").put_object(**large, Body=bytes(2_000_001))
    try:
        refused = api.send("GET", f"{route}/artifacts/content?path=large.bin")
        assert (refused.status, "2,000,001 bytes" in refused.json["errors"][0]["message"]) == (422, True)
        (file,) = api.get(f"{route}/artifacts?path=large.bin")["artifacts"]
        answer = urllib3.request("GET", file["url"])
        assert (answer.status, len(answer.data)) == (200, 2_000_001)
        assert answer.headers["content-disposition"] == "attachment"
    finally:
        aws_client("s3").delete_object(**large)
