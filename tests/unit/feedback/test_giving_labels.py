"""POST /feedback and /feedback/batch: what is taken, and what is answered to everything else."""

import time
from typing import Any

import pytest

from feedback import app
from mlops.aws import dynamodb
from mlops.domain.feedback.own_id import hashed

DAY = 24 * 3600
ROW = [(0.25, 0.75)]


def test_a_label_is_counted_once(platform: Any) -> None:
    prediction = platform.answered(ROW)
    assert platform.give(prediction_id=prediction, label="yes") == (200, {"status": "counted"})
    assert platform.give(prediction_id=prediction, label="yes") == (200, {"status": "unchanged"})
    (version,) = platform.status()["versions"]
    assert (version["labels"], version["coverage"], version["predictions"]) == (1, 1.0, 1)
    assert version["classification"]["confusion"] == [[1]]


def test_a_label_that_comes_first_waits_for_its_prediction(platform: Any) -> None:
    prediction = platform.answered(ROW, delivered=False)
    assert platform.give(prediction_id=prediction, label="yes") == (202, {"status": "waiting"})
    assert platform.give(prediction_id=prediction, label="yes") == (202, {"status": "waiting"})
    assert platform.status()["waiting"] == 1


def test_another_label_needs_replace(platform: Any) -> None:
    prediction = platform.answered(ROW)
    platform.give(prediction_id=prediction, label="yes")
    status, problem = platform.give(prediction_id=prediction, label="no")
    assert (status, problem["code"]) == (409, "label_conflict")
    assert "replace" in problem["detail"]
    assert platform.give(prediction_id=prediction, label="no", replace=True) == (200, {"status": "replaced"})
    figures = platform.status()["versions"][0]["classification"]
    assert (figures["accuracy"]["value"], figures["labels"]) == (0, ["no", "yes"])
    assert figures["confusion"] == [[0, 1], [0, 0]]


def test_text_and_number_are_the_same_label(platform: Any) -> None:
    prediction = platform.answered(ROW, labels=("6", "7"))
    assert platform.give(prediction_id=prediction, label=7)[1] == {"status": "counted"}
    assert platform.give(prediction_id=prediction, label="7")[1] == {"status": "unchanged"}
    assert platform.give(prediction_id=prediction, label="7.0")[0] == 422
    quantity = platform.answered([(3.0,)], labels=())
    assert platform.give(prediction_id=quantity, label="3.50")[1] == {"status": "counted"}
    assert platform.give(prediction_id=quantity, label=3.5)[1] == {"status": "unchanged"}
    assert platform.give(prediction_id=quantity, label=3.25)[0] == 409


@pytest.mark.parametrize("delivered", [True, False])
def test_a_label_that_the_model_does_not_have_is_refused_with_those_that_it_has(platform: Any, delivered: bool) -> None:
    prediction = platform.answered(ROW, delivered=delivered)
    status, problem = platform.give(prediction_id=prediction, label="maybe")
    assert status == 422
    assert problem["errors"][0]["field"] == "label"
    assert "no, yes" in problem["errors"][0]["message"]
    assert platform.status()["waiting"] == 0


def test_an_id_that_predict_never_makes_is_not_found(platform: Any) -> None:
    for wrong in ("", "abc", "A" * 19 + "!", "/" * 20):
        assert platform.give(prediction_id=wrong, label="yes")[0] == 404
    future = platform.answered(ROW, seconds=time.time() + 2 * DAY, delivered=False)
    assert platform.give(prediction_id=future, label="yes")[0] == 404


def test_a_prediction_that_is_too_old_is_gone(platform: Any) -> None:
    old = platform.answered(ROW, seconds=time.time() - 61 * DAY)
    status, problem = platform.give(prediction_id=old, label="yes")
    assert (status, problem["code"]) == (410, "gone")
    assert "60 days" in problem["detail"]
    recent = platform.answered(ROW, seconds=time.time() - 59 * DAY)
    assert platform.give(prediction_id=recent, label="yes") == (200, {"status": "counted"})


def test_a_prediction_that_was_not_sampled_is_said_to_be_so(platform: Any) -> None:
    prediction = platform.answered(ROW, sampled=False)
    assert platform.give(prediction_id=prediction, label="yes") == (200, {"status": "not_sampled"})


def test_rows_of_a_batch_have_numbers(platform: Any) -> None:
    prediction = platform.answered([(0.25, 0.75), (0.9, 0.1)])
    assert platform.give(prediction_id=prediction, row=1, label="no") == (200, {"status": "counted"})
    status, problem = platform.give(prediction_id=prediction, row=2, label="no")
    assert (status, problem["errors"][0]["field"]) == (422, "row")
    assert platform.status()["versions"][0]["classification"]["accuracy"]["value"] == 1


def test_ids_of_the_callers_own(platform: Any) -> None:
    assert platform.give(id="order 7", label="yes") == (202, {"status": "waiting"})
    platform.answered([(0.25, 0.75), (0.9, 0.1)], own=(hashed("order 7"), hashed("8")))
    assert platform.give(id="order 7", label="yes") == (200, {"status": "unchanged"})
    assert platform.give(id=8, label="no") == (200, {"status": "counted"})
    answer = platform.status()
    assert (answer["versions"][0]["labels"], answer["waiting"]) == (2, 0)


def test_labels_whose_prediction_never_comes_are_told(platform: Any, raw_table: Any) -> None:
    platform.give(id="typo", label="yes")
    assert (platform.status()["waiting"], platform.status()["unmatched"]) == (1, 0)
    (item,) = [item for item in raw_table.scan()["Items"] if item["series"] == "waiting#churn"]
    raw_table.delete_item(Key={"series": item["series"], "slot": item["slot"]})
    raw_table.put_item(Item={**item, "slot": time.strftime("%Y-%m-%dT%H", time.gmtime(time.time() - 2 * DAY))})
    assert (platform.status()["waiting"], platform.status()["unmatched"]) == (0, 1)


def test_a_model_that_does_not_serve_gets_no_labels_for_predictions_to_come(platform: Any) -> None:
    status, problem = platform.give(model_name="unknown", id="7", label="yes")
    assert (status, problem["code"]) == (409, "no_model_in_stage")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"label": "yes"}, "body"),
        ({"prediction_id": "A" * 20, "id": "7", "label": "yes"}, "body"),
        ({"id": "7", "row": 1, "label": "yes"}, "body"),
        ({"id": "7"}, "label"),
        ({"id": "7", "label": None}, "label"),
        ({"id": "7", "label": True}, "label"),
        ({"id": "7", "label": ["yes"]}, "label"),
        ({"id": "", "label": "yes"}, "id"),
        ({"id": "7", "label": "yes", "observed_at": "yesterday"}, "observed_at"),
        ({"id": "7", "label": "yes", "observed_at": "2026-01-31T09:30:00"}, "observed_at"),
        ({"id": "7", "label": "yes", "when": 1}, "when"),
        ({"prediction_id": "A" * 20, "row": 1000, "label": "yes"}, "row"),
        ({"prediction_id": "A" * 20, "row": -1, "label": "yes"}, "row"),
    ],
)
def test_wrong_requests_name_the_field(platform: Any, body: dict[str, Any], field: str) -> None:
    status, problem = platform.give(**body)
    assert status == 422, problem
    assert field in [error["field"] for error in problem["errors"]], problem


def test_a_batch_goes_on_after_a_label_that_is_refused(platform: Any) -> None:
    first, second = platform.answered(ROW), platform.answered(ROW)
    labels = [
        {"prediction_id": first, "label": "yes"},
        {"prediction_id": "wrong", "label": "yes"},
        {"prediction_id": second, "label": "maybe"},
        {"prediction_id": second, "label": "no", "observed_at": "2026-01-31T09:30:00+01:00"},
        {"id": "later", "label": "no"},
    ]
    status, body = platform.ask("POST", "/feedback/batch", {"model_name": "churn", "labels": labels})
    assert status == 200, body
    assert [result["status"] for result in body["results"]] == ["counted", "refused", "refused", "counted", "waiting"]
    assert [result["code"] for result in body["results"]] == [None, "not_found", "validation_failed", None, None]
    assert body["counts"] == {"counted": 2, "refused": 2, "waiting": 1}
    assert platform.status()["versions"][0]["labels"] == 2


def test_labels_beyond_the_time_are_refused_and_can_be_sent_again(platform: Any, monkeypatch: Any) -> None:
    labels = [{"prediction_id": platform.answered(ROW), "label": "yes"}, {"id": "later", "label": "yes"}]
    body = {"model_name": "churn", "labels": labels}
    monkeypatch.setattr(app, "BATCH_SECONDS", -1.0)
    _, first = platform.ask("POST", "/feedback/batch", body)
    assert [result["code"] for result in first["results"]] == [None, "dependency_unavailable"]
    monkeypatch.setattr(app, "BATCH_SECONDS", 20.0)
    assert platform.ask("POST", "/feedback/batch", body)[1]["counts"] == {"unchanged": 1, "waiting": 1}


@pytest.mark.parametrize(
    ("role", "gives", "reads"),
    [("predict", 403, 403), ("read", 403, 200), ("feedback", 200, 200), ("train", 200, 200), ("admin", 200, 200)],
)
def test_roles(platform: Any, role: str, gives: int, reads: int) -> None:
    body = {"model_name": "churn", "prediction_id": platform.answered(ROW), "label": "yes"}
    assert platform.ask("POST", "/feedback", body, role=role)[0] == gives
    assert platform.ask("GET", "/performance/status", role=role)[0] == reads


def test_a_thousand_labels_are_few_transactions(platform: Any, raw_table: Any, monkeypatch: Any) -> None:
    """20 labels with their totals in each, so a batch is far from the time limit; of rows of several hours as well."""
    now = time.time()
    ids = [platform.answered([(0.25, 0.75)] * 100, seconds=now - 3600 * hour) for hour in range(3)]
    client = dynamodb.table_named(raw_table.name, 6)._table.meta.client
    transact, calls = client.transact_write_items, []

    def counting(**request: Any) -> Any:
        calls.append(len(request["TransactItems"]))
        return transact(**request)

    monkeypatch.setattr(client, "transact_write_items", counting)
    monkeypatch.setattr("feedback.app.BATCH_SECONDS", 300.0)  # moto is slow
    labels = [{"prediction_id": id_, "row": row, "label": "yes"} for row in range(100) for id_ in ids]
    labels += [{"prediction_id": ids[0], "row": 0, "label": "no"}, {"prediction_id": ids[0], "row": 1, "label": "yes"}]
    _, body = platform.ask("POST", "/feedback/batch", {"model_name": "churn", "labels": labels})
    assert body["counts"] == {"counted": 300, "refused": 1, "unchanged": 1}
    assert body["results"][-2]["code"] == "label_conflict"
    assert calls == [27] * 15  # 20 labels of three requests and hours, and the version's life
    assert platform.status()["versions"][0]["labels"] == 300
