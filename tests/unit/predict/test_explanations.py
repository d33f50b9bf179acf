"""`?explain=`: what each column adds to an answer, of models that the trainer has made and the gate has admitted."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.tables.through_trainer import Unwatched
from mlops.domain.manifest import explain_key
from mlops.domain.stages import Stage
from mlops_contract import Task
from predict import explanations
from promotion.examination import Placement
from tests.support import coded
from tests.support.served_models import admitted
from tests.support.serving import Served, served
from trainer import models
from trainer.export import export
from trainer.parameters import Parameters

ROW = {"size": 12.5, "scale": 480_000.0, "flag": True, "noise": 0.3, "colour": "green", "town": "town 03"}
ODD = {"size": None, "scale": 510_000.0, "flag": False, "noise": -1.0, "colour": "violet", "town": None}
SMALL = {
    "linear": {},
    "random_forest": {"n_estimators": 20},
    "lightgbm": {"n_estimators": 20, "min_child_samples": 5},
    "xgboost": {"n_estimators": 20, "max_depth": 4},
    "svm": {},
    "mlp": {"epochs": 2, "hidden_size": 32},
}
EXPLAINED = ("linear", "random_forest", "lightgbm", "xgboost")


def made(model_type: str, task: Task = Task.CLASSIFICATION, classes: int = 2, **more: Any) -> Served:
    """A model that was trained, exported and admitted."""
    dataset = coded.made(task, classes=classes)
    parameters = Parameters(model_type=model_type, hyperparameters=SMALL[model_type], **more)
    exported = export(models.find(model_type).train(dataset, models.resolved(parameters), Unwatched()), dataset)
    placement = Placement("made", 1, Stage.PRODUCTION, "run", {}, "tr_1")
    return admitted(exported.content, exported.proof_rows, exported.explanation, placement)


@pytest.fixture(scope="module")
def boosted() -> Served:
    return made("lightgbm")


@pytest.fixture
def serve(store: Any, start: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Served], Any]:
    """Starts predict with a model."""
    monkeypatch.setenv("DEFAULT_MODEL_NAME", "made")
    explanations._loaded.clear()

    def starting(model: Served) -> Any:
        store.promote(model)
        return start()

    return starting


def explain(predict: Any, body: Any, asked: str = "true", path: str = "/predict") -> Any:
    return predict.call(body, path, queryStringParameters={"explain": asked})


def total(explanation: dict[str, Any]) -> float:
    return float(explanation["base"] + sum(explanation["parts"].values()))


@pytest.mark.parametrize("model_type", EXPLAINED)
@pytest.mark.parametrize("balanced", [False, True])
def test_of_two_classes_the_parts_add_up_to_the_answer(serve: Any, model_type: str, balanced: bool) -> None:
    predict = serve(made(model_type, **({"class_weight": "balanced"} if balanced else {})))
    for row in (ROW, ODD):
        answer = explain(predict, {"row": row}).json
        if balanced and model_type == "random_forest":
            assert answer["explanation"] is None
            assert "class_weight=balanced" in answer["explanation_reason"]
            continue
        explanation = answer["explanation"]
        assert (explanation["label"], list(explanation["parts"])) == (answer["prediction"], list(ROW))
        if model_type == "random_forest":
            assert explanation["of"] == "probability"
            assert total(explanation) == pytest.approx(answer["confidence"], abs=1e-5)
        else:
            assert explanation["of"] == "log_odds"
            assert 1 / (1 + math.exp(-total(explanation))) == pytest.approx(answer["confidence"], abs=1e-5)


@pytest.mark.parametrize("model_type", EXPLAINED)
def test_of_three_classes_any_can_be_explained(serve: Any, model_type: str) -> None:
    predict = serve(made(model_type, classes=3))
    answer = explain(predict, {"row": ROW}).json
    labels = list(answer["probabilities"])
    by_label = [explain(predict, {"row": ROW}, label).json["explanation"] for label in labels]
    assert [explanation["label"] for explanation in by_label] == labels
    assert answer["explanation"] == by_label[labels.index(answer["prediction"])]
    scores = np.array([total(explanation) for explanation in by_label])
    if by_label[0]["of"] == "score":
        scores = np.exp(scores) / np.exp(scores).sum()
    assert scores == pytest.approx(list(answer["probabilities"].values()), abs=1e-5)


@pytest.mark.parametrize("model_type", EXPLAINED)
def test_of_a_quantity_the_parts_add_up_to_it(serve: Any, model_type: str) -> None:
    answer = explain(serve(made(model_type, Task.REGRESSION)), {"row": ROW}).json
    assert answer["explanation"]["of"] == "value"
    assert "label" not in answer["explanation"]
    assert total(answer["explanation"]) == pytest.approx(answer["prediction"], rel=1e-5)


@pytest.mark.parametrize("model_type", ["svm", "mlp"])
def test_a_model_that_is_no_sum_says_why_it_is_not_explained(serve: Any, model_type: str) -> None:
    answer = explain(serve(made(model_type)), {"row": ROW})
    assert answer.status == 200
    assert answer.json["explanation"] is None
    assert "no sums of parts" in answer.json["explanation_reason"]
    assert answer.json["prediction"] in ("no", "yes")


def test_a_column_that_decides_nothing_adds_next_to_nothing(serve: Any, boosted: Served) -> None:
    parts = explain(serve(boosted), {"row": ROW}).json["explanation"]["parts"]
    assert abs(parts["noise"]) < 0.2 * abs(parts["size"])


def test_a_batch_is_explained_as_single_rows_are(serve: Any, boosted: Served) -> None:
    predict = serve(boosted)
    batch = explain(predict, {"rows": [ROW, ODD]}, path="/predict/batch").json
    singles = [explain(predict, {"row": row}).json["explanation"] for row in (ROW, ODD)]
    assert batch["explanations"] == singles
    assert "explanation_reason" not in batch


def test_staging_explains_too(serve: Any, boosted: Served) -> None:
    predict = serve(boosted.with_manifest(stage="Staging"))
    assert explain(predict, {"row": ROW}, path="/predict/staging").json["explanation"]["parts"]


def test_without_the_parameter_nothing_is_explained_and_nothing_is_loaded(serve: Any, boosted: Served) -> None:
    predict = serve(boosted)
    plain = predict.call({"row": ROW})
    assert "explanation" not in plain.json
    assert explain(predict, {"row": ROW}, "false").without_id == plain.without_id
    assert not explanations._loaded
    # The same body with the parameter is another answer.
    explained = explain(predict, {"row": ROW})
    assert explained.json["explanation"]["parts"]
    assert (explain(predict, {"row": ROW}).headers["x-cache"], explained.headers["x-cache"]) == ("hit", "miss")
    assert predict.call({"row": ROW}).without_id == plain.without_id


def errors(answer: Any) -> dict[str, str]:
    assert answer.status == 422, answer.text
    return {error["field"]: error["message"] for error in answer.json["errors"]}


def test_wrong_requests_are_told_what_to_send(serve: Any, store: Any, boosted: Served) -> None:
    store.promote(served(1, model_name="image", features=4, image=(2, 2), classes=3))
    predict = serve(boosted)
    assert errors(explain(predict, {"row": ROW}, "perhaps")) == {
        "explain": "must be true, or a label of the model: no, yes"
    }
    only_rows = {"explain": "only answers to row or rows are explained; leave it out"}
    assert errors(explain(predict, {"image": [0, 0, 0, 1], "model_name": "image"})) == only_rows
    assert errors(explain(predict, {"row": {**ROW, "size": "large"}})).keys() == {"row.size"}


def test_a_label_called_true_is_asked_for_in_quotation_marks(serve: Any, boosted: Served) -> None:
    predict = serve(boosted.with_manifest(labels=("false", "true")))
    other = explain(predict, {"row": ROW}, '"false"').json["explanation"]
    true = explain(predict, {"row": ROW}, '"true"').json["explanation"]
    assert (other["label"], true["label"]) == ("false", "true")
    assert total(other) == pytest.approx(-total(true))


def test_a_quantity_has_no_labels(serve: Any) -> None:
    predict = serve(made("linear", Task.REGRESSION))
    assert errors(explain(predict, {"row": ROW}, "high")) == {"explain": "this model predicts a quantity; send true"}


def test_more_rows_than_can_be_explained_in_time_are_refused_with_the_number(
    serve: Any, boosted: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = serve(boosted)
    monkeypatch.setattr(explanations, "MOST_WORK", 1)
    assert errors(explain(predict, {"rows": [ROW, ODD]}, path="/predict/batch")) == {
        "rows": "has 2 entries; send at most 1 per request to have this model explain them"
    }
    assert explain(predict, {"row": ROW}).status == 200


@pytest.mark.parametrize("left", [None, b"damaged"])
def test_a_file_that_is_gone_or_damaged_leaves_the_answer_without_parts(
    serve: Any, store: Any, boosted: Served, left: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = serve(boosted)
    key = explain_key("made", boosted.manifest.sha256)
    store.delete(key) if left is None else store.put(key, left)
    answer = explain(predict, {"row": ROW}).json
    assert answer["explanation"] is None
    assert answer["explanation_reason"] == explanations.GONE
    store.put(key, boosted.explanation)
    monkeypatch.setattr(explanations.time, "monotonic", lambda: 1e12)
    assert explain(predict, {"row": ODD}).json["explanation"]["parts"]


def test_an_explanation_that_does_not_give_the_answer_is_not_given(serve: Any, store: Any) -> None:
    """Two files of the same contract, mixed up, with the hash corrected: as a fault of ours would."""
    model, other = made("lightgbm"), made("xgboost")
    assert other.explanation is not None
    assert model.manifest.explanations is not None
    assert other.manifest.explanations is not None
    mixed = replace(model.with_manifest(explanations=other.manifest.explanations), explanation=other.explanation)
    answer = explain(serve(mixed), {"row": ROW}).json
    assert (answer["explanation"], answer["explanation_reason"]) == (None, explanations.NOT_THE_SUM)


def test_while_s3_is_down_the_caller_is_told_to_try_again(
    serve: Any, boosted: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = serve(boosted)
    monkeypatch.setattr(predict.app.bucket, "get", down)
    answer = explain(predict, {"row": ROW})
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert predict.call({"row": ROW}).status == 200


def down(key: str, **options: Any) -> None:
    from predict.s3 import S3Unavailable

    raise S3Unavailable("down")


def test_a_version_from_before_there_were_explanations_says_so(serve: Any, boosted: Served) -> None:
    answer = explain(serve(boosted.with_manifest(explanations=None)), {"row": ROW}).json
    assert (answer["explanation"], answer["explanation_reason"]) == (None, explanations.OLD)
