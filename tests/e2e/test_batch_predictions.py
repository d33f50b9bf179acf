"""Batch predictions on the running stack: files in S3 to answers that are those of /predict, by jobs of its Batch."""

import io
import json
import os
import subprocess

import numpy as np
import pyarrow
import pytest
from pyarrow import csv, parquet

from tests.support import installed_client
from tests.support.steps import ENDED, promote, train

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own

MODEL = "scored-churn"
ROWS = 3_000
PLANS = ("basic", "family", "business")


def customers(rows: int = ROWS, seed: int = 7) -> pyarrow.Table:
    random = np.random.default_rng(seed)
    plans = random.choice(PLANS, rows)
    fee, calls = np.round(random.uniform(10, 90, rows), 2), random.poisson(2, rows)
    leaves = 1.5 * (plans == "basic") + 0.04 * fee + 0.8 * calls + random.normal(0, 0.5, rows) > 4.6
    return pyarrow.table(
        {
            "customer_id": [f"c-{number:05}" for number in random.permutation(rows)],
            "plan": pyarrow.array(plans, mask=random.random(rows) < 0.1),
            "fee": pyarrow.array(fee, mask=random.random(rows) < 0.1),
            "calls": calls,
            "churned": np.where(leaves, "yes", "no"),
        }
    )


def written(table: pyarrow.Table, write, **options) -> bytes:
    file = io.BytesIO()
    write(table, file, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def bucket(aws_client, outputs, api):
    """Put objects into the stack's bucket. A model of customers is in Production."""
    name = outputs["ArtifactBucketName"]

    def put(key, data):
        aws_client("s3").put_object(Bucket=name, Key=key, Body=data)
        return f"s3://{name}/{key}"

    address = put("datasets/scored/train.csv", written(customers(), csv.write_csv))
    job = train(
        api,
        dataset=address,
        target="churned",
        model_type="lightgbm",
        hyperparameters={"n_estimators": 40, "num_leaves": 15},
        model_name=MODEL,
        experiment_name="scoring",
    )
    assert job["status"] == "completed", job["error"]
    moved = promote(api, job["model_version"], model=MODEL, reason="scoring")
    assert moved["status"] == "succeeded", moved
    put.name = name
    return put


def ended(api, state):
    return api.wait(f"/batch-predictions/{state['batch_id']}", until=lambda each: each["status"] in ENDED, seconds=180)


def test_answers_are_those_of_predict_to_the_last_bit(api, bucket, aws_client):
    table = customers(seed=8).drop_columns("churned")
    bad = table.slice(0, 3).set_column(3, "calls", pyarrow.array([2**40, 1, 1]))
    bucket("datasets/scored/in/a.parquet", written(table.slice(0, 2_000), parquet.write_table, row_group_size=500))
    bucket("datasets/scored/in/b.csv", written(table.slice(2_000, 900), csv.write_csv))
    rows = table.slice(2_900).to_pylist()
    bucket("datasets/scored/in/c.jsonl", "\n".join(map(json.dumps, rows)).encode())
    bucket("datasets/scored/in/d.csv", written(bad, csv.write_csv))
    asked = {
        "model_name": MODEL,
        "input": f"s3://{bucket.name}/datasets/scored/in/",
        "output": f"s3://{bucket.name}/scored/e2e/",
        "keep": ["customer_id"],
    }
    state = ended(api, api.post("/batch-predictions", asked))
    assert (state["status"], state["error"]) == ("completed", None)
    assert (state["rows"], state["rejected"], state["shards_done"]) == (ROWS + 3, 1, state["shards"])
    assert state["rows_per_second"] > 0
    s3 = aws_client("s3")

    def read(key):
        return s3.get_object(Bucket=bucket.name, Key=f"scored/e2e/{key}")["Body"].read()

    manifest = json.loads(read("_SUCCESS"))
    assert (manifest["rows"], manifest["model_version"]) == (ROWS + 3, state["model_version"])
    answers = pyarrow.concat_tables(
        parquet.read_table(io.BytesIO(read(file["name"])))
        for file in manifest["files"]
        if not file["name"].startswith("rejected/")
    )
    assert len(answers) == ROWS + 2
    sample = np.random.default_rng(3).choice(ROWS, 1_000, replace=False)
    plain = table.drop_columns("customer_id").take(sample).to_pylist()
    predicted = api.post("/predict/batch", {"model_name": MODEL, "rows": plain})
    scored = answers.take(sample)
    assert scored["customer_id"].equals(table["customer_id"].take(sample))
    assert scored["prediction"].to_pylist() == predicted["predictions"]
    confidences = np.array(predicted["confidences"], np.float32)
    assert scored["confidence"].to_numpy().tobytes() == confidences.tobytes()

    again = api.send("POST", "/batch-predictions", asked)
    assert again.status == 422, "the folder is not empty any more"


def test_what_came_true_is_compared_with_the_answers(api, bucket, aws_client):
    """The labels of a batch prediction, in another order, beside those that nobody has asked for."""
    table = customers(300, seed=10)
    address = bucket("datasets/scored/asked.parquet", written(table.drop_columns("churned"), parquet.write_table))
    asked = {"model_name": MODEL, "input": address, "output": f"s3://{bucket.name}/scored/labelled/"}
    state = ended(api, api.post("/batch-predictions", {**asked, "keep": ["customer_id"]}))
    assert (state["status"], state["error"]) == ("completed", None)
    stored = aws_client("s3").get_object(Bucket=bucket.name, Key="scored/labelled/part-00000.parquet")["Body"].read()
    answers = parquet.read_table(io.BytesIO(stored))
    joined = answers.join(table.select(["customer_id", "churned"]), "customer_id").sort_by("customer_id")
    labels = joined.select(["prediction_id", "churned"]).rename_columns(["prediction_id", "label"])
    stray = pyarrow.table({"prediction_id": [f"{state['batch_id']}/0/300"], "label": ["no"]})
    labels = bucket("datasets/scored/labels.csv", written(pyarrow.concat_tables([labels, stray]), csv.write_csv))
    before = api.get(f"/performance/status?model_name={MODEL}")["versions"][0]
    counts = []
    for _ in range(2):
        started = api.post("/feedback/imports", {"model_name": MODEL, "input": labels})["import_id"]
        done = api.wait(f"/feedback/imports/{started}", until=lambda each: each["status"] in ENDED)
        counts.append((done["status"], done["counts"]))
    assert counts == [("completed", {"counted": 300, "refused": 1}), ("completed", {"unchanged": 300, "refused": 1})]
    after = api.get(f"/performance/status?model_name={MODEL}")["versions"][0]
    assert after["labels"] == before["labels"] + 300
    assert after["predictions"] >= before["predictions"] + 300
    if before["labels"] == 0:
        right = sum(map(str.__eq__, joined["prediction"].to_pylist(), joined["churned"].to_pylist()))
        assert after["classification"]["accuracy"]["value"] == pytest.approx(right / 300)


def test_several_shards_are_an_array_and_a_cancelled_one_writes_nothing_whole(api, bucket, aws_client):
    many = pyarrow.concat_tables([customers(seed=9)] * 60)
    address = bucket(
        "datasets/scored/many.parquet",
        written(many, parquet.write_table, row_group_size=10_000, compression="none", use_dictionary=False),
    )
    asked = {"model_name": MODEL, "input": address, "shard_mb": 1}
    first = api.post("/batch-predictions", {**asked, "output": f"s3://{bucket.name}/scored/many/"})
    assert first["shards"] >= 4
    state = ended(api, first)
    assert (state["status"], state["error"]) == ("completed", None)
    assert (state["rows"], state["shards_done"]) == (len(many), first["shards"])
    cancelled = api.post("/batch-predictions", {**asked, "output": f"s3://{bucket.name}/scored/cancelled/"})
    api.send("DELETE", f"/batch-predictions/{cancelled['batch_id']}")
    state = ended(api, cancelled)
    assert state["status"] == "cancelled"
    keys = [
        entry["Key"]
        for entry in aws_client("s3").list_objects_v2(Bucket=bucket.name, Prefix="scored/cancelled/")["Contents"]
    ]
    assert "scored/cancelled/_SUCCESS" not in keys


def test_the_command_line_scores_here_and_on_the_platform_alike(stack, bucket, tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_", "AWS_"))}
    environment = kept | {
        **installed_client.variables(tmp_path / "bin"),
        "MLOPS_API_URL": stack.api_url,
        "MLOPS_API_KEY": stack.api_key,
        "COLUMNS": "120",
    }

    def mlops(*arguments):
        return subprocess.run(["mlops", *arguments], env=environment, capture_output=True, text=True, timeout=180)

    file, out, folder = tmp_path / "customers.csv", tmp_path / "scored.parquet", tmp_path / "remote"
    csv.write_csv(customers(seed=10).drop_columns("churned"), file)
    here = mlops("score", str(file), "--model", MODEL, "--out", str(out), "--keep", "customer_id")
    assert here.returncode == 0, here.stderr
    assert f"3,000 rows answered by {MODEL} version" in here.stdout
    there = mlops("score", str(file), "-m", MODEL, "-o", str(folder), "-k", "customer_id", "--remote")
    assert there.returncode == 0, there.stderr
    local, remote = parquet.read_table(out), parquet.read_table(folder / "part-00000.parquet")
    assert local.drop_columns("prediction_id").equals(remote.drop_columns("prediction_id"))
    listed = mlops("batch-predictions", "-n", "1")
    assert "completed" in listed.stdout, listed
    shown = mlops("batch-predictions", listed.stdout.splitlines()[1].split("\t")[0])
    assert "rows per second" in shown.stdout, shown
    spoiled = tmp_path / "spoiled.csv"
    spoiled.write_text("plan,fee,calls\nbasic,many,1\n")
    refused = mlops("score", str(spoiled), "--model", MODEL, "--out", str(tmp_path / "no.parquet"))
    assert refused.returncode == 2
    assert "fee: must be a number" in refused.stderr
    assert not (tmp_path / "no.parquet").exists()
