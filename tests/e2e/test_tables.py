"""Tables with named columns on the running stack: from a file to predictions, for a class and for a quantity."""

import io
import json
import time

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest
import urllib3
from tritonclient.http import InferenceServerClient, InferInput
from tritonclient.utils import triton_to_np_dtype

from infra.local.api import ApiError
from tests.support.steps import ENDED, promote, train

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own

CHURN, PRICES = "leaving", "flat-prices"
ROWS = 600
SEED = 20_260
PLANS = ("basic", "family", "business")
DISTRICTS = ("North", "South", "Old Town")


def churn_table() -> pyarrow.Table:
    """Customers with ids, text, missing values, dates and words for booleans. Plan, fee and calls decide who leaves."""
    random = np.random.default_rng(SEED)
    plans = random.choice(PLANS, ROWS, p=[0.5, 0.3, 0.2])
    fee = np.round(random.uniform(10, 90, ROWS), 2)
    calls = random.poisson(2, ROWS)
    leaves = 1.5 * (plans == "basic") + 0.04 * fee + 0.8 * calls + random.normal(0, 0.5, ROWS) > 4.6
    since = np.datetime64("2020-01-01") + random.integers(0, 2000, ROWS)
    return pyarrow.table(
        {
            "customer_id": [f"c-{number:05}" for number in random.permutation(ROWS)],
            "plan": pyarrow.array(plans, mask=random.random(ROWS) < 0.1),
            "fee": pyarrow.array(fee, mask=random.random(ROWS) < 0.1),
            "calls": calls,
            "newsletter": random.choice(["yes", "no"], ROWS),
            "since": since,
            "churned": np.where(leaves, "yes", "no"),
        }
    )


def price_table() -> pyarrow.Table:
    """Flats whose price is nearly linear in area, rooms and district."""
    random = np.random.default_rng(SEED)
    area, rooms = np.round(random.uniform(20, 180, ROWS), 1), random.integers(1, 7, ROWS)
    district = random.integers(0, len(DISTRICTS), ROWS)
    price = 50_000.5 + 4_000 * area + 9_000 * rooms + 60_000 * district + random.normal(0, 5_000, ROWS)
    names = np.array(DISTRICTS)[district]
    return pyarrow.table({"area": area, "rooms": rooms, "district": names, "price": np.round(price, 2)})


@pytest.fixture(scope="module")
def addresses(aws_client, outputs) -> dict[str, str]:
    """The two tables in the stack's bucket: CSV with LF, and Parquet."""
    bucket, files = outputs["ArtifactBucketName"], {}
    for name, table, write in (
        ("churn.csv", churn_table(), pyarrow.csv.write_csv),
        ("prices.parquet", price_table(), pyarrow.parquet.write_table),
    ):
        buffer = io.BytesIO()
        write(table, buffer)
        aws_client("s3").put_object(Bucket=bucket, Key=f"datasets/tables/{name}", Body=buffer.getvalue())
        files[name] = f"s3://{bucket}/datasets/tables/{name}"
    return files


@pytest.fixture(scope="module")
def churn(api, addresses):
    """The job of a classifier that is in Production."""
    job = train(
        api,
        dataset=addresses["churn.csv"],
        target="churned",
        model_type="lightgbm",
        objective="roc_auc",
        hyperparameters={"n_estimators": 60, "num_leaves": 15},
        model_name=CHURN,
        experiment_name="tables",
    )
    assert job["status"] == "completed", job["error"]
    moved = promote(api, job["model_version"], model=CHURN, reason="first")
    assert moved["status"] == "succeeded", moved
    return job


@pytest.fixture(scope="module")
def prices(api, addresses):
    """The job of a regression model that is in Production."""
    job = train(
        api,
        dataset=addresses["prices.parquet"],
        target="price",
        model_type="linear",
        model_name=PRICES,
        experiment_name="tables",
    )
    assert job["status"] == "completed", job["error"]
    moved = promote(api, job["model_version"], model=PRICES, reason="first")
    assert moved["status"] == "succeeded", moved
    return job


STAYS = {"plan": "business", "fee": 12.5, "calls": 0, "newsletter": True, "since": "2021-03-01"}
LEAVES = {"plan": "basic", "fee": 88, "calls": 7, "newsletter": False, "since": "2024-11-30T09:30:00Z"}


def test_a_classifier_of_a_table_is_better_than_one_that_knows_no_columns(api, churn):
    assert churn["objective"] == {"name": "roc_auc", "direction": "maximise"}
    assert churn["metrics"]["roc_auc"] > churn["metrics"]["baseline_roc_auc"] + 0.3
    detail = api.get(f"/models/{CHURN}")
    assert detail["production_version"] == churn["model_version"]


def test_the_gate_has_asked_the_rows_of_each_proof(api, churn, prices):
    for model in (CHURN, PRICES):
        *_, first = api.get(f"/models/{model}/history")["transitions"]
        (proof,) = [gate for gate in first["gates"] if gate["check"] == "proof"]
        assert proof["passed"], proof
        assert proof["detail"].startswith("0 of "), proof


def test_a_row_is_predicted_with_probabilities_by_label(api, churn):
    for row, label in ((STAYS, "no"), (LEAVES, "yes")):
        answer = api.post("/predict", {"row": row, "model_name": CHURN})
        assert (answer["prediction"], answer["model_version"]) == (label, churn["model_version"])
        assert answer["probabilities"].keys() == {"no", "yes"}
        assert answer["confidence"] == max(answer["probabilities"].values())
        assert "warnings" not in answer


def test_a_missing_value_is_answered_and_an_unseen_one_with_a_warning(api, churn):
    row = {**LEAVES, "fee": None, "since": None, "plan": "enterprise"}
    answer = api.post("/predict", {"row": row, "model_name": CHURN})
    assert answer["prediction"] == "yes"
    assert answer["warnings"] == ["plan: 'enterprise' was not seen in training"]


def test_rows_of_a_batch_get_the_answers_that_they_get_alone(api, churn):
    rows = [STAYS, LEAVES, {**STAYS, "plan": None}, {**LEAVES, "plan": "enterprise"}] * 250
    answer = api.post("/predict/batch", {"rows": rows, "model_name": CHURN})
    alone = [api.post("/predict", {"row": row, "model_name": CHURN}) for row in rows[:4]]
    assert answer["predictions"] == [each["prediction"] for each in alone] * 250
    assert answer["confidences"][:4] == pytest.approx([each["confidence"] for each in alone], abs=1e-6)
    assert (answer["batch_size"], answer["warnings"][0]) == (
        1000,
        "rows.3.plan: 'enterprise' was not seen in training",
    )


def test_the_contract_says_how_the_training_file_was_written(api, churn):
    contract = api.get(f"/models/{CHURN}/contract")
    columns = {column["name"]: column for column in contract["columns"]}
    assert (contract["model_version"], contract["labels"]) == (churn["model_version"], ["no", "yes"])
    assert columns["newsletter"]["form"] == "yes/no"
    assert columns["plan"]["proved"] == ["null", "unseen"]
    assert api.post("/predict", contract["example"]["request"])["model_version"] == churn["model_version"]


def test_the_protocols_answer_as_the_batch_route_does(api, churn):
    rows = [STAYS, LEAVES]
    expected = api.post("/predict/batch", {"rows": rows, "model_name": CHURN})["predictions"]
    records = api.post(f"/models/{CHURN}/invocations", {"dataframe_records": rows})
    assert records == {"predictions": expected}
    header = {"x-api-key": api.key, "content-type": "text/csv"}
    words = {True: "yes", False: "no"}
    cells = [[words[value] if type(value) is bool else str(value) for value in row.values()] for row in rows]
    text = "\n".join(",".join(line) for line in [[*STAYS], *cells])
    answer = urllib3.request("POST", f"{api.url}/models/{CHURN}/invocations", body=text, headers=header)
    assert (answer.status, answer.json()) == (200, {"predictions": expected})
    datatypes = {"plan": "BYTES", "fee": "FP64", "calls": "INT64", "newsletter": "BOOL", "since": "BYTES"}
    inputs = []
    for name, datatype in datatypes.items():
        tensor = InferInput(name, [2, 1], datatype)
        dtype = np.object_ if datatype == "BYTES" else triton_to_np_dtype(datatype)
        tensor.set_data_from_numpy(np.array([[row[name]] for row in rows], dtype), binary_data=False)
        inputs.append(tensor)
    key = {"x-api-key": api.key}
    with InferenceServerClient(api.url.removeprefix("http://")) as client:
        assert client.is_server_ready(headers=key)
        assert client.is_model_ready(CHURN, headers=key)
        result = client.infer(CHURN, inputs, model_version=str(churn["model_version"]), headers=key)
    assert result.as_numpy("prediction").reshape(-1).tolist() == expected


def test_a_decision_threshold_decides_from_training_to_labels(api, addresses):
    model = "leaving-early"
    job = train(
        api,
        dataset=addresses["churn.csv"],
        target="churned",
        model_type="linear",
        decision_threshold=0.1,
        model_name=model,
        experiment_name="tables",
    )
    assert job["status"] == "completed", job["error"]
    assert promote(api, job["model_version"], model=model)["status"] == "succeeded"
    assert api.get(f"/models/{model}/contract")["decision"] == {"label": "yes", "threshold": 0.1}
    answers = [
        api.post("/predict", {"row": {**STAYS, "calls": calls}, "model_name": model})
        for calls in (0, 1, 2, 3, 4, 5, 6, 7)
    ]
    scores = [answer["probabilities"]["yes"] for answer in answers]
    assert any(0.1 <= score < 0.5 for score in scores), scores
    assert [answer["prediction"] for answer in answers] == ["yes" if score >= 0.1 else "no" for score in scores]
    assert {answer["decision_threshold"] for answer in answers} == {0.1}
    labels = [{"prediction_id": answer["prediction_id"], "label": "yes"} for answer in answers]
    api.post("/feedback/batch", {"labels": labels, "model_name": model})
    found = api.wait(
        f"/performance/status?model_name={model}",
        until=lambda each: each["versions"] and each["versions"][0]["labels"] == len(answers),
    )
    right = sum(answer["prediction"] == "yes" for answer in answers)
    assert found["versions"][0]["classification"]["accuracy"]["value"] == pytest.approx(right / len(answers))


def test_a_version_that_does_not_serve_answers_nothing(api, churn):
    named = {"row": STAYS, "model_name": CHURN, "version": churn["model_version"]}
    assert api.post("/predict", named)["model_version"] == churn["model_version"]
    answer = api.send("POST", "/predict", {**named, "version": "999"})
    assert (answer.status, answer.json["code"]) == (409, "version_not_served")


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        ({**STAYS, "salary": 3}, "row.salary", "is not a column of this model"),
        ({**STAYS, "customer_id": "c-1"}, "row.customer_id", "is not a column of this model"),
        ({**STAYS, "fee": "12.5"}, "row.fee", "must be a number, not a string"),
        ({**STAYS, "since": "01.03.2021"}, "row.since", "must be a date and time"),
        ({name: value for name, value in STAYS.items() if name != "calls"}, "row.calls", "is missing"),
    ],
)
def test_a_row_that_the_contract_does_not_allow_is_refused_by_column(api, churn, row, field, message):
    with pytest.raises(ApiError) as refused:
        api.post("/predict", {"row": row, "model_name": CHURN})
    assert refused.value.status == 422
    (error,) = refused.value.problem["errors"]
    assert error["field"] == field
    assert error["message"].startswith(message)


def test_a_retrain_keeps_target_objective_and_model_type(api, aws_client, outputs, churn, addresses):
    detail = {"model_name": CHURN, "retrain_id": "tables-1", "stage": "Staging", "reason": "a test"}
    stacks = aws_client("cloudformation").describe_stacks(StackName=outputs["StackName"])["Stacks"]
    entry = {"Source": "mlops", "DetailType": "Retrain Requested", "Detail": json.dumps(detail)}
    entry["Resources"] = [stacks[0]["StackId"]]
    aws_client("events").put_events(Entries=[entry])
    deadline = time.monotonic() + 120
    while not (found := [each for each in api.get("/sweeps?limit=100")["sweeps"] if each["model_name"] == CHURN]):
        assert time.monotonic() < deadline, "no sweep was started"
        time.sleep(0.2)
    (sweep,) = found
    ended = api.wait(f"/sweeps/{sweep['sweep_id']}", until=lambda answer: answer["status"] in ENDED)
    assert ended["status"] == "completed", ended
    (run,) = ended["runs"]
    assert run["params"]["model_type"] == "lightgbm"
    assert run["params"]["target"] == "churned"
    assert run["params"]["dataset"] == addresses["churn.csv"]
    assert run["params"]["num_leaves"] == 15
    assert ended["objective"]["name"] == "roc_auc"
    api.wait(f"/models/transitions/{ended['transition_id']}", until=lambda answer: answer["status"] == "succeeded")
    staging = api.post("/predict/staging", {"row": LEAVES, "model_name": CHURN})
    assert (staging["prediction"], staging["model_version"]) == ("yes", ended["model_version"])


@pytest.mark.parametrize("strategy", ["tpe", "gp"])
def test_a_sweep_learns_from_its_runs_and_registers_the_best_on_validation(api, addresses, strategy):
    asked = {
        "strategy": strategy,
        "num_runs": 7,
        "workers": 2,
        "prune": True,
        "dataset": addresses["churn.csv"],
        "target": "churned",
        "model_type": "lightgbm",
        "objective": "roc_auc",
        "hyperparameters": {"n_estimators": 40},
        "space": {"num_leaves": [3, 7, 15], "learning_rate": {"low": 0.001, "high": 0.3, "log": True}},
        "model_name": f"churn-{strategy}",
        "experiment_name": "tables",
    }
    sweep = api.post("/sweeps", asked)
    ended = api.wait(f"/sweeps/{sweep['sweep_id']}", until=lambda answer: answer["status"] in ENDED, seconds=1200)
    assert ended["status"] == "completed", ended
    assert ended["objective"] == {"name": "val_roc_auc", "direction": "maximise"}
    completed = [run for run in ended["runs"] if run["status"] == "completed"]
    assert len(completed) >= 4, "nothing is pruned before four others are there"
    assert {run["status"] for run in ended["runs"]} <= {"completed", "pruned"}, ended
    scores = [run["metrics"]["val_roc_auc"] for run in completed]
    assert scores == sorted(scores, reverse=True)
    assert ended["best"]["job_id"] == completed[0]["job_id"]
    assert set(ended["unranked"]) == {run["job_id"] for run in ended["runs"] if run["status"] == "pruned"}
    for run in ended["runs"]:
        assert run["params"]["num_leaves"] in (3, 7, 15)
        assert 0.001 <= run["params"]["learning_rate"] <= 0.3
    assert len({run["params"]["learning_rate"] for run in ended["runs"]}) == 7
    (version,) = api.get(f"/models/churn-{strategy}")["versions"]
    assert version["run_id"] == completed[0]["run_id"]
    lines = [line["message"] for line in api.get(f"/train/jobs/{completed[0]['job_id']}/logs")["lines"]]
    assert any('"worker.claimed"' in line and completed[0]["job_id"] in line for line in lines)


def test_a_quantity_is_predicted_as_a_number_without_a_confidence(api, prices):
    assert prices["objective"] == {"name": "rmse", "direction": "minimise"}
    assert prices["metrics"]["rmse"] < prices["metrics"]["baseline_rmse"] / 5
    answer = api.post("/predict", {"row": {"area": 100, "rooms": 4, "district": "Old Town"}, "model_name": PRICES})
    assert answer["prediction"] == pytest.approx(606_000, rel=0.02)
    assert answer.keys() == {"prediction_id", "prediction", "model_name", "model_version", "model_stage"}
    rows = [{"area": area, "rooms": 2, "district": None} for area in (30.5, 90)]
    batch = api.post("/predict/batch", {"rows": rows, "model_name": PRICES})
    assert batch["predictions"][0] < batch["predictions"][1]
    assert "confidences" not in batch


def test_drift_of_quantities_needs_rows(api, prices):
    status = api.get(f"/drift/status?model_name={PRICES}")
    assert (status["status"], status["psi"], status["signal"]) == ("insufficient_data", None, None)
    assert "counted rows in the current window of the 200 that a verdict needs" in status["message"]


def test_a_classifier_does_not_take_the_place_of_a_regression_model(api, addresses, prices):
    job = train(
        api,
        dataset=addresses["churn.csv"],
        target="churned",
        model_type="linear",
        model_name=PRICES,
        experiment_name="tables",
    )
    assert job["status"] == "completed", job["error"]
    moved = promote(api, job["model_version"], model=PRICES, reason="wrong table")
    assert moved["status"] == "rejected"
    failed = {gate["check"]: gate["detail"] for gate in moved["gates"] if not gate["passed"]}
    assert "it predicts classes" in failed["signature"]
    assert "not comparable" in failed["metric"]
    assert api.get(f"/models/{PRICES}")["production_version"] == prices["model_version"]


def test_a_table_that_cannot_be_read_fails_with_line_column_and_remedy(api, aws_client, outputs):
    key = "datasets/tables/broken.csv"
    content = b"age,job,churned\n41,cook,yes\n?,cook,no\n" + b"30,guard,no\n31,guard,yes\n" * 20
    aws_client("s3").put_object(Bucket=outputs["ArtifactBucketName"], Key=key, Body=content)
    job = train(
        api,
        dataset=f"s3://{outputs['ArtifactBucketName']}/{key}",
        target="churned",
        model_type="linear",
        model_name="no",
    )
    assert job["status"] == "failed"
    assert "broken.csv: line 3, column 'age': '?' is not a number" in job["error"]
