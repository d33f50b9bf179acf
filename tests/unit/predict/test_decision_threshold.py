"""A model of two classes with a decision threshold: what each way to ask answers, logs, keeps and explains."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.tables.through_trainer import Unwatched
from mlops.domain.feedback.kept_answers import kept_of
from mlops.domain.feedback.outcome import outcome_of
from mlops.domain.manifest import READER_OF_THRESHOLDS, Manifest, ManifestError
from mlops.domain.stages import Stage
from mlops_contract.rows import RowEncoder
from mlops_scoring.model import TableModel
from promotion.examination import Placement
from tests.support import coded
from tests.support.served_models import admitted
from tests.support.serving import Served, served
from trainer import models
from trainer.export import export
from trainer.parameters import Parameters

THRESHOLD = 0.2
ROW = {"size": 12.5, "scale": 480_000.0, "flag": True, "noise": 0.3, "colour": "green", "town": "town 03"}
ROWS = [
    ROW | {"size": size, "town": town}
    for size in (3.0, 6.0, 7.0, 7.5, 8.0, 8.5, 12.5)
    for town in ("town 01", "town 07")
]
"""From surely no to surely yes, some of them between the threshold and one half."""


def made(threshold: float | None, version: int = 1) -> Served:
    dataset = coded.made(classes=2)
    trained = models.find("linear").train(dataset, models.resolved(Parameters(model_type="linear")), Unwatched())
    exported = export(trained, dataset, threshold)
    placement = Placement("made", version, Stage.PRODUCTION, "run", {}, "tr_1")
    return admitted(exported.content, exported.proof_rows, exported.explanation, placement)


@pytest.fixture(scope="module")
def model() -> Served:
    return made(THRESHOLD)


@pytest.fixture
def predict(model: Served, store: Any, start: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DEFAULT_MODEL_NAME", "made")
    store.promote(model)
    return start()


def decided(probability: float) -> str:
    return "yes" if probability >= THRESHOLD else "no"


def test_a_row_is_answered_by_the_threshold_which_is_part_of_the_answer(predict: Any) -> None:
    answers = [predict.call({"row": row}).json for row in ROWS]
    found = [(answer["prediction"], answer["probabilities"]["yes"]) for answer in answers]
    assert [prediction for prediction, _ in found] == [decided(yes) for _, yes in found]
    assert any(prediction == "yes" and yes < 0.5 for prediction, yes in found), "the threshold decides some of them"
    assert all(answer["confidence"] == answer["probabilities"][answer["prediction"]] for answer in answers)
    assert {answer["decision_threshold"] for answer in answers} == {THRESHOLD}


def test_each_way_to_ask_answers_alike(predict: Any) -> None:
    singles = [predict.call({"row": row}).json for row in ROWS]
    labels = [single["prediction"] for single in singles]
    batch = predict.call({"rows": ROWS}, "/predict/batch").json
    assert batch["predictions"] == labels
    assert batch["confidences"] == pytest.approx([single["confidence"] for single in singles], abs=1e-6)
    assert batch["decision_threshold"] == THRESHOLD
    invoked = predict.post("/models/{name}/invocations", {"name": "made"}, {"dataframe_records": ROWS})
    assert invoked.json["predictions"] == labels


def test_batch_predictions_answer_alike(model: Served, predict: Any) -> None:
    scoring = TableModel.open(model.onnx, model.manifest.sha256)
    answers = scoring.answers(RowEncoder(scoring.contract).encode(ROWS).feeds)
    batch = predict.call({"rows": ROWS}, "/predict/batch").json
    assert answers.classes is not None
    assert [scoring.labels[place] for place in answers.classes] == batch["predictions"]
    assert answers.values.tolist() == pytest.approx(batch["confidences"])


def test_the_contract_says_which_class_is_answered_from_where_on(predict: Any) -> None:
    contract = predict.get("/models/{name}/contract", {"name": "made"}).json
    assert contract["decision"] == {"label": "yes", "threshold": THRESHOLD}


def test_the_answer_that_was_given_is_explained(predict: Any) -> None:
    for row in ROWS:
        answer = predict.call({"row": row}, queryStringParameters={"explain": "true"}).json
        explanation = answer["explanation"]
        assert explanation["label"] == answer["prediction"]
        odds = answer["probabilities"][answer["prediction"]]
        total = explanation["base"] + sum(explanation["parts"].values())
        assert total == pytest.approx(math.log(odds / (1 - odds)), abs=1e-3)


def test_a_label_is_compared_with_the_answer_that_was_given(predict: Any, lines: Callable[[], Any]) -> None:
    answers = [predict.call({"row": row}).json for row in ROWS]
    logged = [line for line in lines() if line["event"] == "mlops.prediction"]
    assert [line["predictions"] for line in logged] == [[answer["prediction"]] for answer in answers]
    assert {line["min_reader"] for line in logged} == {3}
    for answer, line in zip(answers, logged, strict=True):
        request = kept_of(line, "2026-01-31T23")
        assert request is not None
        kept = type(request.answers).from_content(1, "Production", "2026-01-31T23", request.answers.to_content())
        assert kept == request.answers
        for label in ("no", "yes"):
            totals = outcome_of(kept, 0, label)
            assert totals["h"] == int(answer["prediction"] == label)
            assert f'k:["{label}", "{answer["prediction"]}"]' in totals


def test_the_reference_counts_answers_by_the_threshold(model: Served) -> None:
    plain = made(None).manifest
    assert plain.reference is not None
    assert model.manifest.reference is not None
    of_plain, of_model = (each["predictions"]["counts"] for each in (plain.reference, model.manifest.reference))
    assert sum(of_plain) == sum(of_model)
    assert of_model[1] > of_plain[1]
    assert of_model[1] / sum(of_model) > 0.5
    right = model.manifest.reference["accuracy_by_confidence"]
    assert sum(right["counts"][:5]) > 0, "answers by the threshold may be less probable than one half"


def test_a_manifest_with_a_threshold_is_for_readers_that_know_it(model: Served) -> None:
    data = model.manifest.to_json()
    assert Manifest.from_json(data).decision_threshold == THRESHOLD
    assert f'"min_reader":{READER_OF_THRESHOLDS}'.encode() in data
    assert b'"min_reader":2' in made(None).manifest.to_json()
    for wrong in ("0", "1", "-0.5", '"much"', "1e999"):
        spoiled = data.replace(f'"decision_threshold":{THRESHOLD}'.encode(), f'"decision_threshold":{wrong}'.encode())
        with pytest.raises(ManifestError):
            Manifest.from_json(spoiled)


def test_a_threshold_is_of_two_classes(store: Any) -> None:
    data = served(1, classes=3).manifest.to_json()
    spoiled = data.replace(b'"decision_threshold":null', b'"decision_threshold":0.4')
    assert spoiled != data
    with pytest.raises(ManifestError, match="two classes"):
        Manifest.from_json(spoiled)
