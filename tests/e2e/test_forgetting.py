"""What is kept of a person's predictions is deleted over the whole local stack, and nothing of it is left anywhere."""

import io
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.local.api import Api
from mlops_client import Client
from tests.support import installed_client
from tests.support.steps import ENDED, promote, train

pytestmark = [pytest.mark.stack, pytest.mark.slow]
MODEL = "forgetting"
PERSON, OTHER, VISITS = "person-77120", "person-88231", 31.1234567


@pytest.fixture(scope="module")
def table(api: Api, aws_client: Callable[[str], Any], outputs: dict[str, str]) -> str:
    """The address of a table, of which a model is in Production."""
    random, file = np.random.default_rng(1), io.StringIO()
    file.write("visits,left\n")
    for visits in random.uniform(0, 60, 300):
        file.write(f"{visits:.2f},{'yes' if visits + random.normal(0, 6) > 30 else 'no'}\n")
    bucket = outputs["ArtifactBucketName"]
    aws_client("s3").put_object(Bucket=bucket, Key="datasets/forgetting/rows.csv", Body=file.getvalue().encode())
    address = f"s3://{bucket}/datasets/forgetting/rows.csv"
    job = train(api, dataset=address, target="left", model_type="linear", model_name=MODEL, experiment_name=MODEL)
    assert job["status"] == "completed", job["error"]
    assert promote(api, job["model_version"], model=MODEL, reason="test")["status"] == "succeeded"
    return address


def everything(aws_client: Callable[[str], Any], bucket: str) -> Iterator[tuple[str, bytes]]:
    """All items of all tables, and all versions of all objects of the bucket, with where they are."""
    dynamodb, s3 = aws_client("dynamodb"), aws_client("s3")
    for name in dynamodb.list_tables()["TableNames"]:
        for page in dynamodb.get_paginator("scan").paginate(TableName=name):
            for item in page["Items"]:
                yield name, repr(item).encode()
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for each in page.get("Versions", []):
            content = s3.get_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])["Body"].read()
            yield each["Key"], each["Key"].encode() + content


def labels_of(api: Api) -> dict[str, Any]:
    (version,) = api.get(f"/performance/status?model_name={MODEL}")["versions"]
    return {name: version[name] for name in ("labels", "predictions", "classification")}


def test_nothing_of_the_ids_is_left_and_the_figures_stay(
    api: Api, stack: Any, aws_client: Callable[[str], Any], outputs: dict[str, str], table: str, tmp_path: Path
) -> None:
    minted = []
    for id_ in (PERSON, OTHER):
        api.post("/predict", {"row": {"id": id_, "visits": VISITS}, "model_name": MODEL})
        minted.append(api.post("/predict", {"row": {"visits": VISITS}, "model_name": MODEL})["prediction_id"])
    for which in ({"id": PERSON}, {"id": OTHER}, *({"prediction_id": id_} for id_ in minted)):
        assert api.send("POST", "/feedback", {**which, "label": "yes", "model_name": MODEL}).status in (200, 202)
    api.wait(f"/performance/status?model_name={MODEL}", until=lambda each: each["versions"][0]["labels"] == 4)
    before = labels_of(api)

    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")},
        **installed_client.variables(tmp_path / "bin"),
        "MLOPS_CONFIG": str(tmp_path / "config.json"),
        "MLOPS_API_URL": stack.api_url,
        "MLOPS_API_KEY": stack.api_key,
        "COLUMNS": "120",
    }
    said = subprocess.run(
        ["mlops", "forget", MODEL, PERSON, "--own", "--reason", "test"],
        env=environment, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "1 answers, 1 labels" in said.stdout
    answer = Client(stack.api_url, stack.api_key).delete_predictions(MODEL, "test", prediction_ids=minted[:1])
    assert (answer.removed["answers"], answer.not_found.prediction_ids) == (1, [])

    found = list(everything(aws_client, outputs["ArtifactBucketName"]))
    traces = [where for where, content in found for each in (PERSON, minted[0]) if each.encode() in content]
    assert traces == []
    assert [where for where, content in found if str(VISITS).encode() in content] == [], "no inputs are kept"
    assert any(minted[1].encode() in content for _, content in found), "what was not named is still there"
    assert labels_of(api) == before
    late = api.send("POST", "/feedback", {"prediction_id": minted[0], "label": "no", "model_name": MODEL})
    assert (late.status, "was deleted" in late.json["detail"]) == (410, True)
    history = api.get(f"/models/{MODEL}/history?verify=true")
    assert history["verification"]["valid"], history["verification"]


def test_the_files_of_a_batch_prediction_go(
    api: Api, aws_client: Callable[[str], Any], outputs: dict[str, str], table: str
) -> None:
    bucket = outputs["ArtifactBucketName"]
    rows = f"customer,visits\n{PERSON},12\n{PERSON},many\n".encode()
    aws_client("s3").put_object(Bucket=bucket, Key="datasets/forgetting/june.csv", Body=rows)
    asked = {"input": f"s3://{bucket}/datasets/forgetting/june.csv", "output": f"s3://{bucket}/scored/forgetting/june/"}
    batch = api.post("/batch-predictions", {"model_name": MODEL, **asked, "keep": ["customer"], "max_rejected": 1})
    route = f"/batch-predictions/{batch['batch_id']}"
    done = api.wait(route, until=lambda each: each["status"] in ENDED, seconds=180)
    assert (done["status"], done["rejected"]) == ("completed", 1), done
    aws_client("s3").delete_object(Bucket=bucket, Key="datasets/forgetting/june.csv")
    freed = api.send("DELETE", f"{route}/files?reason=test")
    assert (freed.status, freed.json["freed_bytes"] > 1000) == (200, True), freed.json
    assert api.send("GET", f"{route}/files").status == 410
    left = aws_client("s3").list_object_versions(Bucket=bucket, Prefix="scored/forgetting/")
    assert left.get("Versions", []) == left.get("DeleteMarkers", []) == []
    assert api.get(route)["files_deleted_at"] <= time.strftime("%Y-%m-%dT%H:%M:%S.999Z", time.gmtime())
    assert json.dumps(api.get(f"/models/{MODEL}/history")).count(PERSON) == 0


def test_a_data_set_goes_and_its_models_stay(
    api: Api, aws_client: Callable[[str], Any], outputs: dict[str, str]
) -> None:
    name, bucket, random, file = f"{MODEL}-data", outputs["ArtifactBucketName"], np.random.default_rng(2), io.StringIO()
    file.write("customer_id,visits,left\n")
    for number, visits in enumerate(random.uniform(0, 60, 300)):
        file.write(f"sentinel-{number:05},{visits:.2f},{'yes' if visits + random.normal(0, 6) > 30 else 'no'}\n")
    key = "datasets/forgetting/customers.csv"
    for _ in range(2):  # so it has an old version
        aws_client("s3").put_object(Bucket=bucket, Key=key, Body=file.getvalue().encode())
    asked = {"dataset": f"s3://{bucket}/{key}", "target": "left", "model_type": "linear"}
    first, second = (train(api, **asked, model_name=name, experiment_name=name, seed=seed) for seed in (1, 2))
    assert promote(api, first["model_version"], model=name, reason="test")["status"] == "succeeded"
    used = [each for each in api.get("/datasets?limit=200")["datasets"] if each["name"] == asked["dataset"]]
    refused = api.send("DELETE", "/datasets/" + 36 * "0" + "?reason=test")
    assert refused.status == 404

    deleted = api.send("DELETE", f"/datasets/{used[0]['digest']}?reason=request%20118")
    assert (deleted.status, deleted.json["addresses"]) == (200, [asked["dataset"]]), deleted.json
    assert deleted.json["completed_at"] is not None
    assert {each["version"] for each in deleted.json["versions"]} == {first["model_version"], second["model_version"]}
    found = list(everything(aws_client, bucket))
    assert [where for where, content in found if b"sentinel-" in content] == []
    runs = tuple(job["run_id"] for job in (first, second))
    kept = [where for where, _ in found if any(run_id in where for run_id in runs)]
    assert kept, "the rest of the runs stays"
    assert not [where for where in kept if where.endswith(("proof.npz", "profile.json"))]

    assert api.post("/predict", {"row": {"visits": 50}, "model_name": name})["prediction"] == "yes"
    by = f"by {deleted.json['actor']} at {deleted.json['deleted_at']}"
    late = promote(api, second["model_version"], model=name, reason="test")
    assert (late["status"], f"deleted with their data set {by}" in late["error"]) == ("rejected", True), late
    again = api.send("POST", "/train", {**asked, "model_name": name, "experiment_name": name})
    assert (again.status, f"was deleted {by}" in again.json["detail"]) == (422, True), again.json
    (listed,) = [each for each in api.get("/datasets?limit=200")["datasets"] if each["digest"] == used[0]["digest"]]
    assert listed["deleted_at"] == deleted.json["deleted_at"]
