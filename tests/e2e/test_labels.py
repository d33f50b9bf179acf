"""Labels on the running stack: from /predict over the log to /feedback, and to the figures of the version."""

import json
import time
from typing import Any
from urllib.request import urlopen

import pytest

from infra.local.api import Api
from mlops.domain.feedback.prediction_id import Mint

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own


def version_of(status: dict[str, Any], number: int) -> dict[str, Any]:
    (found,) = [version for version in status["versions"] if version["model_version"] == number]
    return found


@pytest.fixture(scope="module")
def answers(api: Api, production_model: Any, held_out: Any) -> list[tuple[str, int, int]]:
    """Id, predicted label and true label of 20 images, each of which was sent twice."""
    images, labels = held_out
    found = []
    for image, label in zip(images[:20], labels[:20], strict=True):
        for _ in range(2):
            answer = api.post("/predict", {"image": image})
            found.append((answer["prediction_id"], answer["prediction"], int(label)))
    assert len({id_ for id_, _, _ in found}) == 40
    return found


def test_labels_become_the_figures_of_the_version(
    api: Api, production_model: Any, answers: list[tuple[str, int, int]]
) -> None:
    number = production_model["model_version"]
    before = version_of(api.get("/performance/status"), number)["labels"]
    # The first label may come before its prediction's line was delivered.
    first = api.send("POST", "/feedback", {"prediction_id": answers[0][0], "label": answers[0][2]})
    assert (first.status, first.json["status"]) in [(200, "counted"), (202, "waiting")]
    batch = {"labels": [{"prediction_id": id_, "label": true} for id_, _, true in answers]}
    counts = api.post("/feedback/batch", batch)["counts"]
    assert sum(counts.values()) == 40
    assert set(counts) <= {"counted", "waiting", "unchanged"}
    status = api.wait(
        "/performance/status", until=lambda answer: version_of(answer, number)["labels"] == before + len(answers)
    )
    version = version_of(status, number)
    assert version["stage"] == "Production"
    assert version["predictions"] >= len(answers)
    assert version["verdict"]["status"] == "insufficient_data"  # of predictions that are so young
    if before == 0:
        right = sum(predicted == true for _, predicted, true in answers)
        assert version["classification"]["accuracy"]["value"] == pytest.approx(right / 40)
        assert sum(map(sum, version["classification"]["confusion"])) == 40
    assert version["held_out"]["accuracy"] > 0.5
    # Nothing counts twice.
    assert api.post("/feedback/batch", batch)["counts"] == {"unchanged": 40}
    history = api.get("/performance/history?hours=24&step_hours=24")
    assert (history["model_version"], history["points"][-1]["labels"]) == (number, before + 40)


def test_a_changed_label_changes_the_figures(
    api: Api, production_model: Any, answers: list[tuple[str, int, int]]
) -> None:
    number, (id_, predicted, true) = production_model["model_version"], answers[-1]
    api.wait("/performance/status", until=lambda answer: version_of(answer, number)["labels"] >= len(answers))
    other = (predicted + 1) % 10
    before = version_of(api.get("/performance/status"), number)
    refused = api.send("POST", "/feedback", {"prediction_id": id_, "label": (true + 1) % 10})
    assert refused.status == 409
    changed = api.post("/feedback", {"prediction_id": id_, "label": other, "replace": True})
    assert changed["status"] == ("replaced" if other != true else "unchanged")
    after = version_of(api.get("/performance/status"), number)
    assert after["labels"] == before["labels"]
    lost = (predicted == true) / after["labels"]
    found = before["classification"]["accuracy"]["value"] - after["classification"]["accuracy"]["value"]
    assert found == pytest.approx(lost)


def test_what_is_wrong_is_said(api: Api, production_model: Any, answers: list[tuple[str, int, int]]) -> None:
    id_ = answers[0][0]
    assert api.send("POST", "/feedback", {"prediction_id": "wrong", "label": 1}).status == 404
    assert api.send("POST", "/feedback", {"prediction_id": id_, "label": "cat"}).status == 422
    assert api.send("POST", "/feedback", {"prediction_id": id_, "row": 1, "label": 1}).status == 422
    assert api.post("/feedback", {"prediction_id": Mint().make(0).text, "label": 1}) == {"status": "not_sampled"}
    early = Mint().make(1)  # of a prediction whose line never comes
    assert api.send("POST", "/feedback", {"prediction_id": early.text, "label": 1}).status == 202
    assert api.get("/performance/status")["waiting"] >= 1


def test_metrics_have_the_labels(api: Api, production_model: Any, answers: list[tuple[str, int, int]]) -> None:
    deadline, family = time.monotonic() + 60, "mlops_feedback_total{"
    while family not in (text := api.send("GET", "/metrics").data.decode()):  # an answer is repeated for some seconds
        assert time.monotonic() < deadline, text
        time.sleep(1)


def test_training_measures_how_often_each_confidence_is_right(
    api: Api, production_model: Any, held_out: Any, aws_client: Any, outputs: dict[str, str]
) -> None:
    key = f"serving/{production_model['model_name']}/Production.json"
    stored = aws_client("s3").get_object(Bucket=outputs["ArtifactBucketName"], Key=key)["Body"].read()
    manifest = json.loads(stored)
    measured = manifest["reference"]["accuracy_by_confidence"]
    assert sum(measured["counts"]) == manifest["reference"]["count"]
    assert sum(measured["right"]) / sum(measured["counts"]) == pytest.approx(manifest["metrics"]["accuracy"])
    api.post("/predict/batch", {"images": held_out[0][:100]})
    number = production_model["model_version"]
    status = api.wait("/performance/status", until=lambda answer: version_of(answer, number)["estimated"] is not None)
    estimated = version_of(status, number)["estimated"]
    assert estimated["accuracy"] == pytest.approx(manifest["metrics"]["accuracy"], abs=0.1)


def test_labels_of_a_file_are_taken_by_a_job(
    api: Api, production_model: Any, answers: list[tuple[str, int, int]], aws_client: Any, outputs: dict[str, str]
) -> None:
    bucket, key = outputs["ArtifactBucketName"], "datasets/labels/outcomes.csv"
    # All but the last, whose label another test has changed.
    rows = [f"{id_},{true}" for id_, _, true in answers[:-1]] + [f"{Mint().make(1).text},1", f"{answers[0][0]},cat"]
    text = "\n".join(["prediction_id,label", *rows])
    aws_client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())
    model = production_model["model_name"]
    asked = api.send("POST", "/feedback/imports", {"model_name": model, "input": f"s3://{bucket}/{key}"})
    assert asked.status == 202, asked.json
    route = f"/feedback/imports/{asked.json['import_id']}"
    done = api.wait(route, until=lambda state: state["status"] in ("completed", "failed"))
    assert (done["status"], done["rows"]) == ("completed", 41), done
    taken = sum(done["counts"].get(status, 0) for status in ("counted", "unchanged", "waiting"))
    assert (taken, done["counts"]["refused"]) == (40, 1)
    with urlopen(done["refused_url"]) as refused:
        assert b",cat," in refused.read()
    assert route.endswith(api.get("/feedback/imports")["imports"][0]["import_id"])
