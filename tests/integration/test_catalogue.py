"""The lists, on a database made by the pinned MLflow through its public API: what was logged is what is shown."""

import urllib.parse
from typing import Any

import pytest

from infra.local.api import Api, ApiError
from mlops.registry.rest import Tracking

STORED_INFINITE = 1.7976931348623157e308
"""An infinity as MLflow's database gives it back."""
EXPERIMENT = "catalogue/with a slash & more"


@pytest.fixture(scope="module")
def logged(mlflow: Tracking) -> dict[str, Any]:
    """An experiment of 25 runs: accuracy i/100, learning rates that sort otherwise as text than as numbers."""
    experiment = mlflow._post("experiments/create", {"name": EXPERIMENT})["experiment_id"]
    runs = []
    for number in range(25):
        run = mlflow._post(
            "runs/create", {"experiment_id": experiment, "run_name": f"run {number}", "start_time": number}
        )
        runs.append(run["run"]["info"]["run_id"])
        metrics = [{"key": "loss", "value": 1 / (step + 1), "timestamp": step, "step": step} for step in range(3)]
        if number < 20:
            metrics.append({"key": "accuracy", "value": number / 100, "timestamp": 1, "step": 0})
        rate = ["0.001", "0.01", "1e-05", "2", "10", "auto"][number % 6]
        body = {"run_id": runs[-1], "metrics": metrics, "params": [{"key": "learning_rate", "value": rate}]}
        body["tags"] = [{"key": "who", "value": "me"}]
        mlflow._post("runs/log-batch", body)
        if number % 2:
            mlflow._post("runs/update", {"run_id": runs[-1], "status": "FINISHED", "end_time": number + 1000})
    mlflow._post("runs/delete", {"run_id": runs.pop()})
    return {"id": experiment, "runs": runs}


def of(logged: dict[str, Any], **query: Any) -> str:
    return f"/experiments/{logged['id']}?{urllib.parse.urlencode(query)}"


def all_pages(api: Api, logged: dict[str, Any], limit: int = 7, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.get(of(logged, limit=limit, **query, **cursor))
        rows += page["runs"]
        if page["next_cursor"] is None:
            assert page["total_count"] == len(rows)
            return rows
        assert len(page["runs"]) == limit
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.slow
def test_an_experiment_is_listed_with_its_count_and_best_run(api, logged):
    page = api.get("/experiments?limit=200")
    assert page["total_count"] == len(page["experiments"])
    row = next(row for row in page["experiments"] if row["experiment_id"] == logged["id"])
    assert (row["name"], row["total_runs"]) == (EXPERIMENT, 24)
    assert row["best_run"]["run_id"] == logged["runs"][19]
    assert row["best_run"]["metrics"] == {"accuracy": 0.19, "loss": pytest.approx(1 / 3)}
    assert row["best_run"]["params"] == {"learning_rate": "0.01"}


@pytest.fixture(scope="module")
def mixed(mlflow: Tracking) -> dict[str, Any]:
    """An experiment with runs of several objectives, by name, from the oldest to the newest."""
    experiment = mlflow._post("experiments/create", {"name": "runs of several objectives"})["experiment_id"]
    rmse = {"mlops.objective": "rmse", "mlops.direction": "minimise"}
    described: list[tuple[str, dict[str, str], dict[str, float]]] = [
        ("classifier", {}, {"accuracy": 0.9}),
        ("second", rmse, {"rmse": 3.0, "accuracy": 1.0}),
        ("best", rmse, {"rmse": 2.0}),
        ("worst", rmse, {"rmse": 9.0}),
        ("infinite", {"mlops.objective": "rmse", "mlops.direction": "maximise"}, {"rmse": STORED_INFINITE}),
        ("without", rmse, {"accuracy": 1.0}),
        ("undirected", {"mlops.objective": "profit"}, {"profit": 5.0}),
    ]
    runs = {}
    for started, (name, tags, metrics) in enumerate(described):
        created = mlflow._post("runs/create", {"experiment_id": experiment, "run_name": name, "start_time": started})
        runs[name] = created["run"]["info"]["run_id"]
        body = {
            "run_id": runs[name],
            "metrics": [{"key": key, "value": value, "timestamp": 1, "step": 0} for key, value in metrics.items()],
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        mlflow._post("runs/log-batch", body)
    return {"id": experiment, "runs": runs}


def test_the_best_run_is_that_of_the_objective_of_the_newest_run_with_a_score(api, mixed):
    listed = api.get("/experiments?limit=200")["experiments"]
    row = next(row for row in listed if row["experiment_id"] == mixed["id"])
    assert row["objective"] == {"name": "rmse", "direction": "minimise"}
    assert row["best_run"]["run_name"] == "best"


@pytest.mark.parametrize("limit", [2, 50])
def test_runs_are_ranked_by_the_objective_and_those_without_it_come_last(api, mixed, limit):
    rows = all_pages(api, mixed, limit=limit, order_by="objective desc")
    assert [row["run_name"] for row in rows[:3]] == ["best", "second", "worst"]
    assert {row["run_name"] for row in rows[3:]} == {"classifier", "infinite", "without", "undirected"}
    objectives = {row["run_name"]: row["objective"] for row in rows}
    assert objectives["best"] == objectives["without"] == {"name": "rmse", "direction": "minimise"}
    assert objectives["classifier"] == {"name": "accuracy", "direction": "maximise"}
    assert objectives["undirected"] is None
    assert api.get(of(mixed))["objective"] == {"name": "rmse", "direction": "minimise"}


def test_a_comparison_marks_the_best_run_in_the_direction_that_the_runs_say(api, mixed):
    ids = ",".join(mixed["runs"][name] for name in ("second", "best", "worst"))
    compared = api.get(f"/experiments/{mixed['id']}/compare?runs={ids}")
    (rmse,) = (metric for metric in compared["metrics"] if metric["name"] == "rmse")
    assert (rmse["better"], rmse["best"]) == ("lower", mixed["runs"]["best"])


def test_an_experiment_without_a_score_is_ranked_by_accuracy(api, mlflow):
    experiment = mlflow._post("experiments/create", {"name": "no score"})["experiment_id"]
    answer = api.get(f"/experiments/{experiment}?order_by=objective%20desc")
    assert (answer["objective"], answer["runs"]) == ({"name": "accuracy", "direction": "maximise"}, [])


@pytest.mark.parametrize("order", ["created_at desc", "created_at", "name", "name desc"])
def test_experiments_come_in_pages_in_the_asked_order(api, mlflow, logged, order):
    for name in ("catalogue b", "Catalogue a", "catalogue c"):
        if not api.get(f"/experiments?{urllib.parse.urlencode({'name': name})}")["total_count"]:
            mlflow._post("experiments/create", {"name": name})
    query = urllib.parse.urlencode({"order_by": order, "name": "CATALOGUE"})
    whole = api.get(f"/experiments?{query}")
    assert whole["total_count"] == len(whole["experiments"]) == 4
    rows, cursor = [], ""
    while True:
        page = api.get(f"/experiments?{query}&limit=1{cursor}")
        rows += page["experiments"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert rows == whole["experiments"]
    key = "name" if "name" in order else "experiment_id"
    found = [row[key] if key == "name" else int(row[key]) for row in rows]
    if key == "experiment_id":
        assert found == sorted(found, reverse="desc" in order)
    else:
        assert set(found) == {EXPERIMENT, "catalogue b", "Catalogue a", "catalogue c"}


def test_an_experiment_is_found_by_name_and_by_id(api, logged):
    by_id = api.get(of(logged))
    assert (by_id["name"], by_id["experiment_id"]) == (EXPERIMENT, logged["id"])
    assert by_id["runs"][0]["run_id"] == logged["runs"][-1]
    assert api.get("/experiments/catalogue%20b")["name"] == "catalogue b"
    by_name = f"/experiments/{urllib.parse.quote(EXPERIMENT, safe='')}"
    assert api.get(by_name) == by_id
    assert api.get(f"{by_name}/runs/{logged['runs'][0]}")["experiment_name"] == EXPERIMENT
    ids = ",".join(logged["runs"][:2])
    assert api.get(f"{by_name}/compare?runs={ids}")["name"] == EXPERIMENT
    missing = api.send("GET", "/experiments/no%20such")
    assert (missing.status, missing.json["code"]) == (404, "not_found")


def test_runs_are_ordered_by_metrics_and_those_without_come_last(api, logged):
    rows = all_pages(api, logged, order_by="metrics.accuracy desc")
    values = [row["metrics"].get("accuracy") for row in rows]
    assert values == [number / 100 for number in range(19, -1, -1)] + [None] * 4
    rows = all_pages(api, logged, order_by="metrics.accuracy asc")
    assert [row["metrics"].get("accuracy") for row in rows] == [number / 100 for number in range(20)] + [None] * 4


def test_runs_are_ordered_by_params_as_numbers(api, logged):
    rows = all_pages(api, logged, order_by="params.learning_rate")
    found = [row["params"]["learning_rate"] for row in rows]
    assert found == [rate for rate in ("1e-05", "0.001", "0.01", "2", "10", "auto") for _ in range(4)]


def test_runs_are_filtered_by_status_and_name(api, logged):
    assert {row["status"] for row in all_pages(api, logged, status="finished")} == {"finished"}
    assert len(all_pages(api, logged, status="running")) == 12
    assert [row["run_name"] for row in all_pages(api, logged, name="RUN 2", order_by="started_at")] == [
        "run 2",
        *(f"run {number}" for number in range(20, 24)),
    ]


def test_runs_are_ordered_by_a_metric_with_a_space(api, mlflow, logged):
    for place, run_id in enumerate(logged["runs"][:3]):
        metric = {"run_id": run_id, "key": "my metric", "value": place, "timestamp": 1, "step": 0}
        mlflow._post("runs/log-metric", metric)
    rows = all_pages(api, logged, limit=2, order_by="metrics.`my metric` desc")
    assert [row["run_id"] for row in rows[:3]] == logged["runs"][2::-1]
    assert rows[0]["own_metrics"] == ["my metric"]
    ids = ",".join(logged["runs"][:3])
    kinds = {
        each["name"]: each["kind"] for each in api.get(f"/experiments/{logged['id']}/compare?runs={ids}")["metrics"]
    }
    assert kinds == {"accuracy": "summary", "loss": "summary", "my metric": "own"}


@pytest.mark.parametrize("start", [1_700_000_000_000_000, -1, -(10**14), 2**62, 253402300800000])
def test_a_run_with_any_number_as_its_start_is_listed_and_read(api, mlflow, start):
    name = f"catalogue start {start}"
    experiment = mlflow._post("experiments/create", {"name": name})["experiment_id"]
    created = [
        mlflow._post("runs/create", {"experiment_id": experiment, "run_name": "r", "start_time": at})["run"]["info"]
        for at in (start, 1_700_000_000_000)
    ]
    ids = [run["run_id"] for run in created]
    mlflow._post("runs/update", {"run_id": ids[0], "status": "FINISHED", "end_time": start})
    rows = {row["run_id"]: row for row in api.get(f"/experiments/{experiment}")["runs"]}
    assert rows[ids[1]]["started_at"].startswith("2023-11-1")
    read = api.get(f"/experiments/{experiment}/runs/{ids[0]}")
    assert (read["started_at"], read["ended_at"]) == (rows[ids[0]]["started_at"], rows[ids[0]]["ended_at"])
    assert (read["started_at"] is None) == (start != -1), "a moment before 1970 is a date; these others are not"
    pages = [api.get(f"/experiments/{experiment}?limit=1")]
    pages.append(api.get(f"/experiments/{experiment}?limit=1&cursor={pages[0]['next_cursor']}"))
    assert [page["runs"][0]["run_id"] for page in pages] == (ids if start > 1_700_000_000_000 else ids[::-1])
    compared = api.get(f"/experiments/{experiment}/compare?runs={','.join(ids)}")
    assert [run["run_id"] for run in compared["runs"]] == ids


@pytest.mark.parametrize(
    "order_by", ["accuracy", "metrics.", "metrics.accuracy sideways", "r.run_id", "1; DROP TABLE runs", "", "tags.who"]
)
def test_an_unknown_order_is_refused_with_the_known_ones(api, logged, order_by):
    answer = api.send("GET", of(logged, order_by=order_by))
    assert answer.status == 422
    assert "started_at" in answer.json["detail"]
    assert "metrics.<name>" in answer.json["detail"]


def test_names_in_an_order_are_values_not_sql(api, logged):
    rows = all_pages(api, logged, limit=50, order_by="metrics.'||(SELECT/**/1)||'")
    assert len(rows) == 24


@pytest.mark.parametrize("cursor", ["x", "AAAA", "W10=", "eyJhIjoxfQ==", "WzEsMiwzLDQsNV0="])
def test_a_cursor_that_no_list_answered_is_refused(api, logged, cursor):
    for path in (of(logged, cursor=cursor), f"/experiments?cursor={urllib.parse.quote(cursor)}"):
        assert api.send("GET", path).status == 422, path


def test_a_cursor_of_another_order_is_refused(api, logged):
    cursor = api.get(of(logged, limit=1, order_by="metrics.accuracy"))["next_cursor"]
    assert api.send("GET", of(logged, limit=1, order_by="started_at", cursor=cursor)).status == 422


def test_a_run_in_full(api, mlflow, logged):
    run_id = logged["runs"][3]
    run = api.get(f"/experiments/{logged['id']}/runs/{run_id}")
    assert (run["run_id"], run["run_name"], run["status"]) == (run_id, "run 3", "finished")
    assert run["experiment_name"] == EXPERIMENT
    assert run["params"] == {"learning_rate": "2"}
    assert run["tags"]["who"] == "me"
    assert [point["step"] for point in run["metric_history"]["loss"]] == [0, 1, 2]
    assert run["metric_history"]["accuracy"] == [{"step": 0, "value": 0.03, "at": 1}]
    assert run["artifacts"] == []
    assert api.send("GET", f"/experiments/{logged['id']}/runs/no-such-run").status == 404


def test_a_long_metric_keeps_its_shape_in_some_hundred_points(api, mlflow, logged):
    run_id = logged["runs"][0]
    for start in range(0, 3000, 1000):
        points = [
            {"key": "long", "value": step, "timestamp": step, "step": step} for step in range(start, start + 1000)
        ]
        mlflow._post("runs/log-batch", {"run_id": run_id, "metrics": points})
    points = api.get(f"/experiments/{logged['id']}/runs/{run_id}")["metric_history"]["long"]
    assert 250 <= len(points) <= 502
    assert (points[0]["step"], points[-1]["step"]) == (0, 2999)
    assert [point["step"] for point in points] == sorted(point["step"] for point in points)


def test_the_files_of_a_trained_run_are_listed(api, production_model):
    path = f"/experiments/{urllib.parse.quote(production_model['experiment_name'])}/runs/{production_model['run_id']}"
    files = {artifact["path"]: artifact["size"] for artifact in api.get(path)["artifacts"]}
    assert files["model/model.onnx"] > 10_000
    assert "model/MLmodel" in files


def test_runs_side_by_side(api, logged):
    first, second, third = logged["runs"][0], logged["runs"][1], logged["runs"][21]
    compared = api.get(f"/experiments/{logged['id']}/compare?runs={first},{second},{third}")
    assert [run["run_id"] for run in compared["runs"]] == [first, second, third]
    assert compared["params"] == [
        {"name": "learning_rate", "values": {first: "0.001", second: "0.01", third: "2"}, "differs": True}
    ]
    accuracy, loss = (
        next(metric for metric in compared["metrics"] if metric["name"] == name) for name in ("accuracy", "loss")
    )
    assert (accuracy["best"], accuracy["better"], accuracy["differs"]) == (second, "higher", True)
    assert accuracy["values"] == {first: 0.0, second: 0.01, third: None}
    assert (loss["better"], loss["differs"]) == ("lower", False)


@pytest.mark.parametrize("count", [0, 1, 11])
def test_two_to_ten_runs_can_be_compared(api, logged, count):
    answer = api.send("GET", f"/experiments/{logged['id']}/compare?runs={','.join(logged['runs'][:count])}")
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "runs")


def test_a_run_of_another_experiment_cannot_be_compared(api, logged):
    with pytest.raises(ApiError, match="no-such-run"):
        api.get(f"/experiments/{logged['id']}/compare?runs={logged['runs'][0]},no-such-run")


def test_the_versions_of_a_model_come_in_pages(api, mlflow):
    mlflow._post("registered-models/create", {"name": "catalogue-versions"})
    for _ in range(5):
        mlflow._post("model-versions/create", {"name": "catalogue-versions", "source": "s3://somewhere/mlflow/m"})
    found, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/models/catalogue-versions?limit=2{cursor}")
        found += [row["version"] for row in page["versions"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert found == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("name", ["catalogue with a space", "catalogue größe", "100% catalogue"])
def test_a_model_that_cannot_be_served_is_read_and_says_why(api, mlflow, name):
    mlflow._post("registered-models/create", {"name": name})
    mlflow._post("model-versions/create", {"name": name, "source": "s3://somewhere/mlflow/m"})
    listed = {row["name"]: row for row in api.get("/models?limit=200")["models"]}[name]
    path = f"/models/{urllib.parse.quote(name, safe='')}"
    detail = api.get(path)
    assert [version["version"] for version in detail["versions"]] == [1]
    for answer in (listed, detail):
        assert answer["servable"] is False
        assert answer["reason"].endswith("rename the model in MLflow")
    assert api.get(f"{path}/history")["transitions"] == []
    refused = api.send("POST", "/models/transition", {"model_name": name, "version": 1, "stage": "Production"})
    assert refused.status == 422
    assert "letters, digits" in refused.json["detail"]
    assert "pattern" not in refused.json["detail"]
