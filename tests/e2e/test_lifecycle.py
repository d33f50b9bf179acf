"""The main job, end to end, with nothing mocked: train, register, promote, predict, and be replaced."""

import pytest

from tests.support.steps import ENDED, promote, train, wait_until_served

MODEL = "lifecycle"


def test_a_model_goes_from_training_to_production_and_is_archived_by_the_next(api, held_out):
    images, labels = held_out
    first = train(api, epochs=4, learning_rate=0.005, model_name=MODEL, experiment_name="lifecycle")
    assert first["status"] == "completed", first["error"]
    assert first["progress"] == {"epoch": 4, "epochs": 4}
    assert first["model_version"] == 1
    assert first["metrics"]["accuracy"] > 0.9
    assert stages(api) == {1: "Registered"}

    with_none = api.send("POST", "/predict", {"image": images[0], "model_name": MODEL})
    assert (with_none.status, with_none.json["code"]) == (409, "no_model_in_stage")

    moved = promote(api, 1, model=MODEL, reason="first")
    assert (moved["status"], moved["from_stage"], moved["replaced_version"]) == ("succeeded", "Registered", None)
    assert all(gate["passed"] for gate in moved["gates"])
    assert stages(api) == {1: "Production"}
    assert_predicts(api, images, labels, version=1)

    second = train(api, epochs=4, learning_rate=0.005, seed=7, model_name=MODEL, experiment_name="lifecycle")
    assert second["model_version"] == 2
    moved = promote(api, 2, model=MODEL, reason="second")
    assert (moved["status"], moved["replaced_version"]) == ("succeeded", 1)
    assert stages(api) == {1: "Archived", 2: "Production"}
    wait_until_served(api, MODEL, 2, images[0])
    assert_predicts(api, images, labels, version=2)

    history = api.get(f"/models/{MODEL}/history")["transitions"]
    assert [(entry["version"], entry["stage"], entry["reason"]) for entry in history] == [
        (2, "Production", "second"),
        (1, "Production", "first"),
    ]
    assert {entry["actor"] for entry in history} == {"local"}

    listed = next(row for row in api.get("/experiments?limit=200")["experiments"] if row["name"] == "lifecycle")
    assert listed["total_runs"] == 2
    assert listed["best_run"]["run_id"] in (first["run_id"], second["run_id"])
    model = next(row for row in api.get("/models?limit=200")["models"] if row["name"] == MODEL)
    assert (model["production_version"], model["latest_version"], model["versions"]) == (2, 2, 2)


@pytest.mark.slow
def test_a_sweep_is_ranked_and_its_best_is_in_production(api):
    sweep = api.post("/sweeps", {"num_runs": 3, "epochs": 3, "model_name": "swept", "stage": "Production"})
    ended = api.wait(f"/sweeps/{sweep['sweep_id']}", until=lambda answer: answer["status"] in ENDED, seconds=300)
    assert ended["status"] == "completed", [run["error"] for run in ended["runs"]]
    assert ended["objective"] == {"name": "val_accuracy", "direction": "maximise"}
    accuracies = [run["metrics"]["val_accuracy"] for run in ended["runs"]]
    assert accuracies == sorted(accuracies, reverse=True)
    assert all(0 < run["metrics"]["accuracy"] <= 1 for run in ended["runs"]), "the gate's"
    assert ended["best"] == ended["runs"][0]
    api.wait(f"/models/transitions/{ended['transition_id']}", until=lambda answer: answer["status"] == "succeeded")
    detail = api.get("/models/swept")
    assert (detail["production_version"], len(detail["versions"])) == (1, 1)
    assert detail["versions"][0]["run_id"] == ended["best"]["run_id"]


@pytest.mark.slow
def test_a_run_that_is_not_to_be_registered_is_not(api):
    job = train(api, epochs=1, register=False, model_name="never-registered")
    assert (job["status"], job["model_version"]) == ("completed", None)
    assert api.send("GET", "/models/never-registered").status == 404


@pytest.mark.slow
def test_a_job_can_be_cancelled(api):
    job = api.post("/train", {"epochs": 100, "hidden_size": 512, "batch_size": 8})
    path = f"/train/status/{job['job_id']}"
    api.wait(path, until=lambda answer: answer["progress"]["epoch"] > 0)
    assert api.send("DELETE", f"/train/jobs/{job['job_id']}").status == 202
    ended = api.wait(path, until=lambda answer: answer["status"] in ENDED)
    assert ended["status"] == "cancelled"
    assert "cancelled through the API" in ended["error"]
    assert api.send("DELETE", f"/train/jobs/{job['job_id']}").status == 409


def test_the_log_of_a_job_can_be_read(api, production_model):
    page = api.get(f"/train/jobs/{production_model['job_id']}/logs")
    assert any("epoch" in line["message"] for line in page["lines"])
    assert api.get(f"/train/jobs/{production_model['job_id']}/logs?cursor={page['next_cursor']}")["lines"] == []


@pytest.mark.parametrize("route", ["/train", "/sweeps"])
def test_the_same_idempotency_key_starts_one_job(api, route):
    headers = {"Idempotency-Key": f"one {route}"}
    small = {"epochs": 1, "model_type": "mlp"} if route == "/train" else {"num_runs": 1, "epochs": 1}
    first, second = (api.post(route, small, headers) for _ in range(2))
    assert first == second
    other = api.send("POST", route, {**small, "epochs": 2}, headers)
    assert (other.status, other.json["code"]) == (409, "idempotency_conflict")


def stages(api):
    return {version["version"]: version["stage"] for version in api.get(f"/models/{MODEL}")["versions"]}


def assert_predicts(api, images, labels, version):
    answer = api.post("/predict", {"image": images[0], "model_name": MODEL})
    assert (answer["model_name"], answer["model_version"], answer["model_stage"]) == (MODEL, version, "Production")
    assert len(answer["probabilities"]) == 10
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-3)
    batch = api.post("/predict/batch", {"images": images[:100], "model_name": MODEL})
    right = sum(found == label for found, label in zip(batch["predictions"], labels, strict=False))
    assert (batch["batch_size"], batch["model_version"]) == (100, version)
    assert right > 85
