"""Batch predictions from the request to `_SUCCESS`: moto is AWS; function, job and the handler of events are real."""

import hashlib
import io
import json
from typing import Any

import pyarrow as pa
import pytest
from botocore.stub import ANY
from pyarrow import parquet

from tests.support.scoring import as_csv, as_json, as_parquet, rows
from tests.support.serving import served
from tests.support.table_models import served_table
from tests.unit.scoring.conftest import BATCH_JOB, BUCKET, ELSEWHERE, Platform

INPUT = f"s3://{BUCKET}/datasets/customers/"


@pytest.fixture
def churn(platform: Platform) -> Platform:
    """A platform with a model in Production, and a folder of three files."""
    platform.promote(served_table())
    asked = rows(900)
    platform.put("datasets/customers/a.parquet", as_parquet(asked[:500], row_group_size=100))
    platform.put("datasets/customers/b.csv", as_csv(asked[500:700]))
    platform.put("datasets/customers/c.jsonl", as_json(asked[700:]))
    platform.put("datasets/customers/_SUCCESS", b"")
    return platform


def table(platform: Platform, key: str) -> pa.Table:
    return parquet.read_table(io.BytesIO(platform.object(key)))


def started(platform: Platform, **fields: Any) -> str:
    """Start one whose shards are as small as can be, so there are several."""
    return str(platform.start(input=INPUT, **{"array": False, **fields})["batch_id"])


def test_a_folder_is_answered_and_the_manifest_says_what_by(churn: Platform) -> None:
    batch_id = started(churn, keep=["customer_id"])
    assert churn.stored() == ["out/_BATCH_PREDICTION"]
    assert churn.run(batch_id)
    _, state = churn.ask("GET", f"/batch-predictions/{batch_id}")
    assert (state["status"], state["rows"], state["rejected"], state["error"]) == ("completed", 900, 0, None)
    assert (state["shards"], state["shards_done"]) == (1, 1)
    assert churn.stored() == ["out/_BATCH_PREDICTION", "out/_SUCCESS", "out/part-00000.parquet"]
    manifest = json.loads(churn.object("scored/out/_SUCCESS"))
    model = served_table().manifest
    assert (manifest["model_version"], manifest["model_sha256"]) == (1, model.sha256)
    (file,) = manifest["files"]
    data = churn.object("scored/out/part-00000.parquet")
    assert (file["rows"], file["size"], file["sha256"]) == (900, len(data), hashlib.sha256(data).hexdigest())
    answers = table(churn, "scored/out/part-00000.parquet")
    assert answers["customer_id"].to_pylist() == [row["customer_id"] for row in rows(900)]
    assert answers["prediction_id"][3].as_py() == f"{batch_id}/0/3"
    listed = churn.ask("GET", "/batch-predictions")[1]["batch_predictions"]
    assert [each["batch_id"] for each in listed] == [batch_id]
    files = churn.ask("GET", f"/batch-predictions/{batch_id}/files")[1]["files"]
    assert [each["name"] for each in files] == ["part-00000.parquet"]
    assert "X-Amz-Signature" in files[0]["url"]


def test_a_large_parquet_file_is_divided_into_shards(platform: Platform) -> None:
    platform.promote(served_table())
    asked = rows(40_000)
    data = as_parquet(asked, row_group_size=1_000, use_dictionary=False, compression="none")
    assert len(data) > 2_000_000
    platform.put("datasets/customers/a.parquet", data)
    batch_id = started(platform, array=True, shard_mb=1, keep=["customer_id"])
    shards = platform.plan(batch_id).shards
    assert len(shards) >= 3
    assert platform.run(batch_id)
    kept: list[str] = []
    for shard in range(len(shards)):
        kept += table(platform, f"scored/out/part-{shard:05}.parquet")["customer_id"].to_pylist()
    assert kept == [row["customer_id"] for row in asked]
    assert platform.ask("GET", f"/batch-predictions/{batch_id}")[1]["shards_done"] == len(shards)


def test_a_few_bad_rows_are_set_aside_with_their_reasons(churn: Platform) -> None:
    asked = rows(2_000)
    asked[7]["plan"] = asked[1_200]["plan"] = "silver"
    churn.put("datasets/more/a.jsonl", as_json(asked))
    batch_id = str(churn.start(input=f"s3://{BUCKET}/datasets/more/", keep=["customer_id"], array=False)["batch_id"])
    assert churn.run(batch_id)
    _, state = churn.ask("GET", f"/batch-predictions/{batch_id}")
    assert (state["status"], state["rows"], state["rejected"]) == ("completed", 2_000, 2)
    ((reason, count),) = state["reasons"].items()
    assert (reason.partition(" ")[0], count) == ("plan:", 2)
    aside = table(churn, "scored/out/rejected/part-00000.parquet").to_pylist()
    assert [(row["row"], row["customer_id"], row["value"]) for row in aside] == [
        (8, "C00007", "silver"),
        (1_201, "C01200", "silver"),
    ]
    assert len(table(churn, "scored/out/part-00000.parquet")) == 1_998


def test_too_many_bad_rows_fail_it_with_the_commonest_reasons(churn: Platform) -> None:
    asked = [{**row, "plan": "silver"} if place % 50 == 0 else row for place, row in enumerate(rows(1_000))]
    churn.put("datasets/more/a.jsonl", as_json(asked))
    batch_id = str(churn.start(input=f"s3://{BUCKET}/datasets/more/a.jsonl", array=False)["batch_id"])
    churn.run(batch_id)
    _, state = churn.ask("GET", f"/batch-predictions/{batch_id}")
    assert state["status"] == "failed"
    assert "20 of 1,000 rows were set aside, and max_rejected allows 0.01" in state["error"]
    assert "plan: must be one of 'basic', 'gold', not 'silver' (20 rows)" in state["error"]
    assert "out/_SUCCESS" not in churn.stored()
    assert churn.ask("GET", f"/batch-predictions/{batch_id}/files")[0] == 409


def test_an_interrupted_shard_is_done_again_with_the_same_bytes(churn: Platform) -> None:
    batch_id = started(churn)
    job = churn.job(batch_id, 0)
    job._progressed = _killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        job.run()
    assert "out/part-00000.parquet" not in churn.stored()
    assert churn.run(batch_id)
    first = churn.object("scored/out/part-00000.parquet")
    assert churn.job(batch_id, 0).run()
    assert churn.object("scored/out/part-00000.parquet") == first


def _killed(_: Any) -> None:
    raise KeyboardInterrupt


def test_the_version_is_pinned_when_the_job_starts(churn: Platform) -> None:
    batch_id = started(churn)
    churn.promote(served_table(2, columns=served_table().manifest.contract.columns[:3]))  # type: ignore[union-attr]
    for key in ("serving/churn/Production.json",):
        churn.s3.delete_object(Bucket=BUCKET, Key=key)
    assert churn.run(batch_id)
    assert json.loads(churn.object("scored/out/_SUCCESS"))["model_version"] == 1


def test_a_model_whose_file_is_gone_fails_it(churn: Platform) -> None:
    batch_id = started(churn)
    churn.s3.delete_object(Bucket=BUCKET, Key=served_table().manifest.key)
    assert not churn.run(batch_id)
    state = churn.ask("GET", f"/batch-predictions/{batch_id}")[1]
    assert (state["status"], state["shards_done"]) == ("failed", 0)
    assert "churn version 1 is not there any more" in state["error"]
    assert churn.stored() == ["out/_BATCH_PREDICTION"]


def test_inputs_are_read_as_they_were_when_it_started(churn: Platform) -> None:
    batch_id = started(churn)
    churn.put("datasets/customers/b.csv", as_csv(rows(3)))
    assert churn.run(batch_id)
    assert churn.ask("GET", f"/batch-predictions/{batch_id}")[1]["rows"] == 900


def test_an_input_that_changes_in_a_bucket_without_versions_fails_it(churn: Platform) -> None:
    churn.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    churn.put("datasets/plain/a.csv", as_csv(rows(5)))
    batch_id = str(churn.start(input=f"s3://{BUCKET}/datasets/plain/", array=False)["batch_id"])
    churn.put("datasets/plain/a.csv", as_csv(rows(6)))
    assert not churn.run(batch_id)
    error = churn.ask("GET", f"/batch-predictions/{batch_id}")[1]["error"]
    assert error.startswith(f"s3://{BUCKET}/datasets/plain/a.csv: was changed after the job had been asked for")


def test_a_column_missing_in_a_later_parquet_file_fails_it_and_nothing_looks_whole(churn: Platform) -> None:
    lacking = [{name: value for name, value in row.items() if name != "visits"} for row in rows(20)]
    churn.put("datasets/customers/z.parquet", as_parquet(lacking))
    batch_id = started(churn)
    assert not churn.run(batch_id)
    state = churn.ask("GET", f"/batch-predictions/{batch_id}")[1]
    assert state["status"] == "failed"
    assert state["error"].startswith(f"{INPUT}z.parquet: has no column 'visits'")
    assert churn.stored() == ["out/_BATCH_PREDICTION"]


def test_an_output_that_somebody_changed_is_not_called_whole(churn: Platform) -> None:
    batch_id = started(churn)
    churn.job(batch_id, 0).run()
    churn.put("scored/out/part-00000.parquet", b"other")
    churn.tell(batch_id, "SUCCEEDED")
    state = churn.ask("GET", f"/batch-predictions/{batch_id}")[1]
    assert state["status"] == "failed"
    assert "scored/out/part-00000.parquet is not in S3 as its shard wrote it" in state["error"]
    assert "out/_SUCCESS" not in churn.stored()


def test_a_job_that_reports_nothing_is_not_called_whole(churn: Platform) -> None:
    batch_id = started(churn)
    churn.tell(batch_id, "SUCCEEDED")
    assert "1 of 1 shards have not reported" in churn.ask("GET", f"/batch-predictions/{batch_id}")[1]["error"]


def test_the_end_can_be_told_twice(churn: Platform) -> None:
    batch_id = started(churn)
    churn.run(batch_id)
    before = churn.ask("GET", f"/batch-predictions/{batch_id}")[1]
    churn.tell(batch_id, "FAILED")
    churn.tell(batch_id, "RUNNING", index=0)
    assert churn.ask("GET", f"/batch-predictions/{batch_id}")[1] == before


def test_cancelling_stops_the_job_and_is_no_failure(churn: Platform) -> None:
    batch_id = started(churn)
    churn.stopper.add_response("terminate_job", {}, {"jobId": BATCH_JOB, "reason": ANY})
    status, state = churn.ask("DELETE", f"/batch-predictions/{batch_id}")
    assert (status, state["status"]) == (202, "pending")
    churn.tell(batch_id, "FAILED")
    state = churn.ask("GET", f"/batch-predictions/{batch_id}")[1]
    assert (state["status"], state["error"]) == ("cancelled", None)
    assert churn.ask("DELETE", f"/batch-predictions/{batch_id}")[0] == 409


def test_a_key_cancels_only_its_own(churn: Platform) -> None:
    batch_id = started(churn)
    assert churn.ask("DELETE", f"/batch-predictions/{batch_id}", role="train")[0] == 403
    assert churn.ask("POST", "/batch-predictions", {}, role="read")[0] == 403


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"input": f"s3://{BUCKET}/datasets/nothing/"}, "input", "there are no files at"),
        ({"input": f"s3://{BUCKET}/mlflow/x.csv"}, "input", "must be below datasets/ or scored/"),
        ({"input": "s3://elsewhere/x.csv"}, "input", "an operator can add it to DatasetBuckets"),
        ({"input": f"s3://{BUCKET}/datasets/bad/not.parquet"}, "input", "is no Parquet file, as its name says"),
        ({"input": f"s3://{BUCKET}/datasets/bad/lacks.csv"}, "input", "has no column 'age'"),
        ({"input": f"s3://{BUCKET}/datasets/bad/"}, "input", "datasets/bad/"),
        ({"input": f"s3://{BUCKET}/datasets/book.xlsx"}, "input", "its name does not say what it is"),
        ({"keep": ["nobody"]}, "input", "b.csv: has no column 'nobody', which `keep` names"),
        ({"keep": ["prediction"]}, "keep", "which is a column of the output"),
        ({"output": f"s3://{BUCKET}/datasets/out/"}, "output", "must be a folder below scored/"),
        ({"output": f"s3://{BUCKET}/scored/"}, "output", "must be a folder below scored/"),
        ({"output": f"s3://{BUCKET}/scored/taken/"}, "output", "is not empty"),
        ({"output": "s3://elsewhere/out/"}, "output", "an operator can add it to OutputBuckets"),
        ({"output": "s3://elsewhere/"}, "output", "not a whole bucket"),
        ({"max_rejected": 2}, "max_rejected", "less than or equal to 1"),
        ({"model_name": "digit-classifier"}, "model_name", "takes images or vectors"),
    ],
)
def test_what_is_wrong_is_said_before_the_job_starts(
    churn: Platform, fields: dict[str, Any], field: str, message: str
) -> None:
    churn.promote(served())
    churn.put("datasets/bad/not.parquet", b"age,job\n")
    churn.put("datasets/bad/lacks.csv", b"job,plan\nx,y\n")
    churn.put("datasets/book.xlsx", b"PK")
    churn.put("scored/taken/x", b"")
    body = {"model_name": "churn", "input": INPUT, "output": f"s3://{BUCKET}/scored/out/", **fields}
    status, problem = churn.ask("POST", "/batch-predictions", body)
    assert status == 422
    (error,) = problem["errors"]
    assert error["field"].partition(".")[0] == field
    assert message in error["message"]
    assert churn.ask("GET", "/batch-predictions")[1]["batch_predictions"] == []
    assert churn.stored("batch-predictions/") == []
    assert "out/_BATCH_PREDICTION" not in churn.stored()


def test_outputs_may_go_to_a_bucket_that_an_operator_named(churn: Platform) -> None:
    batch_id = started(churn, output=f"s3://{ELSEWHERE}/a/b")
    assert churn.run(batch_id)
    assert churn.stored("", ELSEWHERE) == ["a/b/_BATCH_PREDICTION", "a/b/_SUCCESS", "a/b/part-00000.parquet"]


def test_a_folder_is_taken_by_one_only(churn: Platform) -> None:
    started(churn)
    status, problem = churn.ask(
        "POST", "/batch-predictions", {"model_name": "churn", "input": INPUT, "output": f"s3://{BUCKET}/scored/out/"}
    )
    assert (status, problem["errors"][0]["field"]) == (422, "output")


def test_what_batch_refuses_leaves_nothing(churn: Platform) -> None:
    churn.submitter.add_client_error("submit_job", "ClientException", "no", http_status_code=400)
    body = {"model_name": "churn", "input": INPUT, "output": f"s3://{BUCKET}/scored/out/"}
    assert churn.ask("POST", "/batch-predictions", body)[0] == 503
    assert churn.ask("GET", "/batch-predictions")[1]["batch_predictions"] == []
    assert churn.stored() == []


def test_so_many_may_run_and_no_more(churn: Platform) -> None:
    for name in ("one", "two"):
        started(churn, output=f"s3://{BUCKET}/scored/{name}/")
    body = {"model_name": "churn", "input": INPUT, "output": f"s3://{BUCKET}/scored/three/"}
    status, problem = churn.ask("POST", "/batch-predictions", body)
    assert status == 409
    assert "MaxActiveBatchPredictions" in problem["detail"]


def test_a_header_alone_has_no_rows_to_answer(churn: Platform) -> None:
    churn.put("datasets/empty/a.csv", as_csv(rows(1)).splitlines()[0] + b"\n")
    batch_id = str(churn.start(input=f"s3://{BUCKET}/datasets/empty/", array=False)["batch_id"])
    assert churn.run(batch_id)
    assert churn.ask("GET", f"/batch-predictions/{batch_id}")[1]["error"] == "there are no rows in the input"


def test_models_and_uploads_have_signed_addresses(churn: Platform) -> None:
    model = served_table().manifest
    status, found = churn.ask("GET", "/models/churn/file", role="read")
    assert (status, found["sha256"], found["model_version"]) == (200, model.sha256, 1)
    assert model.sha256 in found["url"]
    assert churn.ask("GET", "/models/nobody/file")[0] == 409
    digest = hashlib.sha256(b"x").hexdigest()
    asked = {"name": "x.csv", "sha256": digest, "size": 1}
    status, upload = churn.ask("POST", "/batch-predictions/uploads", asked, role="train")
    assert (status, upload["input"]) == (200, f"s3://{BUCKET}/datasets/uploads/{digest}/x.csv")
    assert "x-amz-checksum-sha256" in upload["headers"]
    churn.put(f"datasets/uploads/{digest}/x.csv", b"x")
    assert churn.ask("POST", "/batch-predictions/uploads", asked)[1]["url"] is None
    assert churn.ask("POST", "/batch-predictions/uploads", {**asked, "name": "x.xlsx"})[0] == 422
