"""What is kept of predictions is deleted by their ids, and neither late lines nor late labels bring it back."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key

from deletions import app, predictions
from deletions.predictions import PredictionDeletions
from deletions.settings import DeletionSettings
from mlops.api.schemas.prediction_deletions import PredictionDeletionRequest
from mlops.aws.bucket_folders import BucketFolders
from mlops.aws.deleted_predictions import name_of
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.label_place import LabelPlace
from mlops.aws.model_history import ModelHistory
from mlops.aws.stats_table import hour_of
from mlops.domain.access import Caller
from mlops.domain.errors import NotFound
from mlops.domain.feedback.giving import PredictionDeleted
from mlops.domain.feedback.kept_answers import KeptAnswers
from mlops.domain.feedback.own_id import hashed
from mlops.domain.feedback.prediction_id import Mint
from prediction_log import input_samples
from prediction_log.input_samples import Sample
from prediction_log.waiting_answers import keep_in
from tests.support import gateway
from tests.support.tables import make_table
from tests.unit.feedback.conftest import LABELS, MODEL, Platform

CALLS = ("transact_write_items", "batch_write_item", "batch_get_item", "query", "get_item", "put_item", "delete_item")
Delete = Callable[..., tuple[int, Any]]


class Crash(BaseException):
    """The process died."""


class Registry:
    """MLflow, as far as it is asked for a model."""

    def model(self, name: str) -> None:
        if name != MODEL:
            raise NotFound("The model registry has no such registered model")


@pytest.fixture
def deletions(platform: Platform, table: FeedbackTable, monkeypatch: pytest.MonkeyPatch) -> PredictionDeletions:
    history = ModelHistory.from_environment
    monkeypatch.setenv("TRANSITIONS_TABLE", make_table("TransitionsTable", f"transitions-{time.time_ns()}").name)
    made = PredictionDeletions(
        DeletionSettings(30, "artifacts"), Registry(), history(), table, BucketFolders("artifacts")  # type: ignore[arg-type]
    )  # fmt: skip
    monkeypatch.setattr(PredictionDeletions, "from_environment", lambda: made)
    return made


@pytest.fixture
def delete(deletions: PredictionDeletions) -> Delete:
    def ask(role: str = "admin", **body: Any) -> tuple[int, Any]:
        text = json.dumps({"model_name": MODEL, "reason": "asked for it", **body})
        answer = app.handler(gateway.api_event("POST", "/predictions/delete", text, key=role), gateway.CONTEXT)
        return answer["statusCode"], json.loads(answer["body"])

    return ask


def kept(raw_table: Any, id_: str) -> list[str]:
    """The slots of what is kept of an id."""
    items = raw_table.query(KeyConditionExpression=Key("series").eq(f"predictions#{MODEL}#{id_}"))["Items"]
    return [item["slot"] for item in items]


def totals(table: FeedbackTable) -> dict[str, int]:
    return {name: value for _, part in table.totals.hours(MODEL, 3, "0000") for name, value in part.items()}


def test_answers_and_labels_go_and_the_figures_stay(
    platform: Platform, table: FeedbackTable, raw_table: Any, delete: Delete
) -> None:
    two_rows, other = platform.answered([(0.2, 0.8), (0.9, 0.1)]), platform.answered([(0.2, 0.8)])
    platform.answered([(0.3, 0.7)], own=(hashed("customer-17"),))
    for body in ({"prediction_id": two_rows, "row": 1}, {"prediction_id": two_rows}, {"id": "customer-17"}):
        assert platform.give(**body, label="yes")[1] == {"status": "counted"}
    assert platform.give(prediction_id=other, label="no")[0] == 200
    before = totals(table)
    status, answer = delete(prediction_ids=[two_rows, Mint().make(1).text], ids=["customer-17", 18])
    assert (status, answer["removed"]) == (200, {"answers": 2, "labels": 3, "sample_hours": 0})
    assert (answer["not_found"]["ids"], len(answer["not_found"]["prediction_ids"])) == ([18], 1)
    assert answer["left"] == {"prediction_ids": [], "ids": []}
    assert {"place": "lines of predict's log", "days": 30} in answer["remaining"]
    assert (kept(raw_table, two_rows), kept(raw_table, hashed("customer-17"))) == ([], [])
    assert len(kept(raw_table, other)) == 2
    assert totals(table) == before
    text = json.dumps(raw_table.scan()["Items"], default=repr)
    assert two_rows not in text
    assert hashed("customer-17") not in text
    assert delete(prediction_ids=[two_rows], ids=["customer-17"])[1]["removed"]["answers"] == 0, "it can be repeated"


def test_a_waiting_label_waits_no_more(platform: Platform, table: FeedbackTable, delete: Delete) -> None:
    late = platform.answered([(0.2, 0.8)], delivered=False)
    assert platform.give(prediction_id=late, label="yes")[0] == 202
    assert table.totals.waiting(MODEL, "0000") == (1, 0)
    assert delete(prediction_ids=[late])[1]["removed"] == {"answers": 0, "labels": 1, "sample_hours": 0}
    assert table.totals.waiting(MODEL, "0000") == (0, 0)


def test_what_comes_late_is_not_kept(platform: Platform, table: FeedbackTable, raw_table: Any, delete: Delete) -> None:
    minted, own = Mint().make(1), hashed("customer-17")
    answers = KeptAnswers(3, "Production", hour_of(minted.seconds), ((0.2, 0.8),), LABELS)
    delete(prediction_ids=[minted.text], ids=["customer-17"])
    table.keep({LabelPlace(MODEL, id_, 0, minted.seconds): answers for id_ in (minted.text, own)})
    assert (kept(raw_table, minted.text), kept(raw_table, own)) == ([], [])
    for body in ({"prediction_id": minted.text}, {"id": "customer-17"}):
        status, problem = platform.give(**body, label="yes")
        assert (status, "was deleted" in problem["detail"]) == (410, True)
    assert (kept(raw_table, minted.text), kept(raw_table, own)) == ([], [])
    # The person comes back: what is asked after the deletion is kept as ever.
    table.keep({LabelPlace(MODEL, own, 0, time.time() + 1): answers})
    assert platform.give(id="customer-17", label="yes") == (200, {"status": "counted"})


@pytest.fixture
def between(raw_table: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], Any]], list[str]]:
    """Do something once, right after the call of DynamoDB of this number."""
    client, seen, plan = raw_table.meta.client, [], {}
    for name in CALLS:
        call = getattr(client, name)

        def hooked(call: Any = call, name: str = name, **request: Any) -> Any:
            answer = call(**request)
            seen.append(name)
            if (do := plan.pop(len(seen), None)) is not None:
                do()
            return answer

        monkeypatch.setattr(client, name, hooked)

    def after(number: int, do: Callable[[], Any]) -> list[str]:
        seen.clear()
        plan.clear()
        plan[number] = do
        return seen

    return after


def test_a_deletion_at_any_moment_of_keeping_and_labelling_leaves_nothing(
    platform: Platform, table: FeedbackTable, raw_table: Any, between: Any
) -> None:
    """A label first and then its answers, or the other way round, with the deletion after each call in between."""

    def place() -> LabelPlace:
        minted = Mint().make(1)
        return LabelPlace(MODEL, minted.text, 0, minted.seconds)

    def steps(at: LabelPlace, label_first: bool) -> None:
        answers = KeptAnswers(3, "Production", hour_of(at.made), ((0.2, 0.8),), LABELS)
        keep, give = lambda: table.keep({at: answers}), lambda: give_to(at)
        for step in (give, keep, give) if label_first else (keep, give, keep):
            step()

    def give_to(at: LabelPlace) -> None:
        if not table.give_new({at: "yes"}, {at: None}, "ann"):
            with suppress(PredictionDeleted):
                table.give(at, "yes", "ann", None, replace=False)

    for label_first in (True, False):
        ran = [0]
        while True:  # until there is no call of this number
            at, number = place(), len(ran)
            between(number, lambda at=at, number=number, ran=ran: (ran.append(number), deleted(table, at)))
            steps(at, label_first)
            between(0, list)
            if ran[-1] != number:
                break
            assert kept(raw_table, at.id) == [], (label_first, number)
            assert table.totals.waiting(MODEL, "0000") == (0, 0), (label_first, number)
        assert len(ran) > 10


def deleted(table: FeedbackTable, place: LabelPlace) -> None:
    table.deleted.mark(MODEL, [name_of(place)], int(time.time()) + 1)
    table.kept.delete(place)


def test_a_deletion_that_dies_anywhere_is_completed_by_a_repeat(
    platform: Platform, table: FeedbackTable, raw_table: Any, deletions: PredictionDeletions, between: Any
) -> None:
    def die() -> None:
        raise Crash

    number, done, caller = 0, False, Caller("ann", "admin")
    while not done:
        number += 1
        known, late = platform.answered([(0.2, 0.8)] * 2), platform.answered([(0.2, 0.8)], delivered=False)
        for row in range(2):
            assert platform.give(prediction_id=known, row=row, label="yes")[0] == 200
        assert platform.give(prediction_id=late, label="yes")[0] == 202
        before = totals(table)
        request = PredictionDeletionRequest(model_name=MODEL, prediction_ids=[known, late], reason="test")
        between(number, die)
        try:
            deletions.delete(request, caller)
            done = True
        except Crash:
            between(0, die)
            deletions.delete(request, caller)
        between(0, die)
        assert (kept(raw_table, known), kept(raw_table, late)) == ([], [])
        assert (totals(table), table.totals.waiting(MODEL, "0000")) == (before, (0, 0))
    assert number > 10


def test_samples_of_the_hours_go_and_late_ones_are_not_kept(
    platform: Platform, table: FeedbackTable, delete: Delete, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTIFACT_BUCKET", "artifacts")
    input_samples._s3.cache_clear()
    s3 = boto3.client("s3")
    s3.put_bucket_versioning(Bucket="artifacts", VersioningConfiguration={"Status": "Enabled"})
    minted = Mint().make(0)
    hour, past = hour_of(minted.seconds), hour_of(minted.seconds - 7200)
    keep = keep_in(table)

    def samples() -> list[str]:
        found = s3.list_object_versions(Bucket="artifacts", Prefix="samples/")
        return [each["Key"] for each in (*found.get("Versions", []), *found.get("DeleteMarkers", []))]

    lines = [Sample(MODEL, version, at, "line", {"inputs": "AAAA"}) for version in (2, 3) for at in (hour, past)]
    keep([], lines)
    keep([], lines)  # a delivery comes twice: each has an old version
    assert len(samples()) == 8
    assert delete(prediction_ids=[minted.text])[1]["removed"]["sample_hours"] == 2
    assert set(samples()) == {line.key for line in lines if line.hour == past}
    keep([], lines)
    assert set(samples()) == {line.key for line in lines if line.hour == past}
    input_samples._s3.cache_clear()


def test_the_history_has_number_and_reason_and_no_ids(
    platform: Platform, delete: Delete, deletions: PredictionDeletions
) -> None:
    id_ = platform.answered([(0.2, 0.8)], own=(hashed("customer-17"),))
    delete(prediction_ids=[id_], ids=["customer-17"])
    entries, _, problem = deletions.history.examined(MODEL)
    assert problem is None
    (said,) = [entry.document["detail"] for entry in entries if entry.document["kind"] == "deletion"]
    assert said == {"predictions": 2, "actor": "admin", "owner": "admin", "reason": "asked for it"}
    text = "".join(entry.text for entry in entries)
    assert id_ not in text
    assert "customer-17" not in text


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 422, "send 1 to 1000 ids"),
        ({"prediction_ids": ["a" * 20] * 600, "ids": ["b"] * 600}, 422, "send 1 to 1000 ids"),
        ({"prediction_ids": [Mint().make(1).text, "customer-17"]}, 422, "ids that you have sent with rows belong"),
        ({"ids": ["a"], "reason": ""}, 422, "reason"),
        ({"ids": ["a"], "model_name": "chrun"}, 404, "no such registered model"),
    ],
)
def test_what_is_wrong_is_said(delete: Delete, body: dict[str, Any], status: int, says: str) -> None:
    answered, problem = delete(**body)
    assert (answered, says in json.dumps(problem)) == (status, True), problem


def test_only_an_admin_may(delete: Delete) -> None:
    for role in ("read", "feedback", "train", "approve"):
        assert delete(role, ids=["a"])[0] == 403


def test_ids_for_which_there_is_no_time_are_left(
    platform: Platform, raw_table: Any, delete: Delete, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = platform.answered([(0.2, 0.8)])
    monkeypatch.setattr(predictions, "SECONDS", 0.0)
    assert delete(prediction_ids=[id_], ids=["a"])[1]["left"] == {"prediction_ids": [id_], "ids": ["a"]}
    assert kept(raw_table, id_) == ["answers"]


def test_a_row_of_a_batch_prediction_is_deleted_by_its_id(
    platform: Platform, table: FeedbackTable, raw_table: Any, delete: Delete
) -> None:
    batch = f"batch_{int(time.time() * 1000):012x}00000000"
    id_ = f"{batch}/0/7"
    answers = KeptAnswers(3, "Production", hour_of(time.time()), ((0.2, 0.8),), LABELS)
    place = LabelPlace(MODEL, id_, 0, time.time())
    table.keep({place: answers})
    assert table.give(place, "yes", "ann", None, replace=False) == "counted"
    assert delete(prediction_ids=[id_])[1]["removed"] == {"answers": 1, "labels": 1, "sample_hours": 0}
    assert kept(raw_table, id_) == []
