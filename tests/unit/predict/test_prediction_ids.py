"""Each answer has an id of its own, also one from the cache, and its line keeps what a label is compared with."""

import base64
import copy
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlops.domain.feedback import prediction_id
from mlops.domain.feedback.own_id import hashed
from predict import feedback
from tests.support.serving import served
from tests.unit.predict.test_tables import LABELS, PRICE, ROW
from tests.unit.predict.test_tables import predict as tables  # noqa: F401

PIXELS = [0.25] * 784


@pytest.fixture
def digits(store: Any, start: Callable[[], Any]) -> Any:
    store.promote(served(3))
    return start()


@pytest.fixture
def kept(lines: Callable[[], list[dict[str, Any]]]) -> Callable[[], list[Any]]:
    """What the lines since the last call keep; None for a line that keeps nothing."""
    return lambda: [line.get("feedback") for line in lines() if line["event"] == "mlops.prediction"]


def numbers(entry: dict[str, Any]) -> Any:
    return np.frombuffer(base64.b64decode(entry["outputs"]), "<f4").reshape(entry["n"], -1)


def test_an_answer_from_the_cache_has_an_id_of_its_own(digits: Any, kept: Any) -> None:
    answers = [digits.call({"image": PIXELS}) for _ in range(3)]
    assert [answer.headers["x-cache"] for answer in answers] == ["miss", "hit", "hit"]
    ids = [answer.json["prediction_id"] for answer in answers]
    assert len({*ids}) == 3
    assert [entry["id"] for entry in kept()] == ids
    parsed = prediction_id.parse(ids[2])
    assert parsed.sampled
    assert abs(parsed.seconds - time.time()) < 60


def test_the_line_keeps_the_probabilities_bit_by_bit(digits: Any, kept: Any) -> None:
    answer = digits.call({"image": PIXELS}).json
    (entry,) = kept()
    assert entry["labels"] == list(range(10))
    assert numbers(entry)[0].tolist() == np.array(answer["probabilities"], np.float32).tolist()


def test_what_is_not_sampled_is_not_kept(digits: Any, kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "SHARE", 0.0)
    monkeypatch.setattr(feedback, "BATCH_SHARE", 1.0)
    single = digits.call({"image": PIXELS}).json
    batch = digits.call({"images": [PIXELS, PIXELS]}, "/predict/batch").json
    assert not prediction_id.parse(single["prediction_id"]).sampled
    assert prediction_id.parse(batch["prediction_id"]).sampled
    first, second = kept()
    assert first is None
    assert second["n"] == 2


def test_protocols_have_the_id_in_a_header(digits: Any, kept: Any) -> None:
    answer = digits.post("/models/{name}/invocations", {"name": "digit-classifier"}, {"instances": [PIXELS]})
    assert answer.json.keys() == {"predictions"}
    (entry,) = kept()
    assert answer.headers["x-prediction-id"] == entry["id"]
    tensor = {"name": "x", "shape": [1, 784], "datatype": "FP32", "data": PIXELS}
    described = digits.get("/v2/models/{name}", {"name": "digit-classifier"}).json
    tensor["name"] = described["inputs"][0]["name"]
    answer = digits.post("/v2/models/{name}/infer", {"name": "digit-classifier"}, {"inputs": [tensor]})
    assert answer.status == 200, answer.text
    assert answer.headers["x-prediction-id"] == kept()[-1]["id"]


class TestOwnIds:
    def test_the_id_is_no_column_and_is_kept_as_a_hash(self, tables: Any, kept: Any) -> None:  # noqa: F811
        plain = tables.call({"row": ROW})
        kept()
        answer = tables.call({"row": {**ROW, "id": "order 17"}})
        assert answer.without_id == plain.without_id
        (entry,) = kept()
        assert entry["own"] == [hashed("order 17")]
        assert "order" not in json.dumps(entry)

    def test_each_row_of_a_batch_has_one(self, tables: Any, kept: Any, monkeypatch: Any) -> None:  # noqa: F811
        monkeypatch.setattr(feedback, "BATCH_SHARE", 1.0)
        rows = [{**ROW, "id": number} for number in range(3)]
        answer = tables.call({"rows": rows}, "/predict/batch")
        assert answer.status == 200, answer.text
        (entry,) = kept()
        assert entry["own"] == [hashed(str(number)) for number in range(3)]
        assert entry["labels"] == list(LABELS)

    @pytest.mark.parametrize(
        ("ids", "field"),
        [(["a", None], "rows.1.id"), (["a", 1.5], "rows.1.id"), (["a", ""], "rows.1.id"), (["a", "a"], "rows")],
    )
    def test_wrong_ids_are_refused_by_their_row(self, tables: Any, ids: list[Any], field: str) -> None:  # noqa: F811
        rows = [{**ROW, "id": value} for value in ids]
        answer = tables.call({"rows": rows}, "/predict/batch")
        assert answer.status == 422
        assert [error["field"] for error in answer.json["errors"]] == [field]


def test_a_quantity_is_kept_with_the_unit_of_its_errors(tables: Any, kept: Any) -> None:  # noqa: F811
    answer = tables.call({"row": ROW, "model_name": PRICE}).json
    (entry,) = kept()
    assert numbers(entry)[0, 0] == np.float32(answer["prediction"])
    assert type(entry["unit"]) is int
    assert "labels" not in entry


@pytest.mark.parametrize("text", ["", "a" * 20, "A" * 21, "A" * 19 + "+", "ä" * 20, "A" * 19 + "=", "A" * 19 + " "])
def test_other_texts_are_no_ids(text: str) -> None:
    if text == "a" * 20:  # well formed
        assert prediction_id.parse(text).text == text
        return
    with pytest.raises(prediction_id.Malformed):
        prediction_id.parse(text)


def test_the_share_of_sampled_ids() -> None:
    mint = prediction_id.Mint()
    assert sum(mint.make(0.1).sampled for _ in range(20_000)) == pytest.approx(2000, abs=300)
    assert all(mint.make(1).sampled for _ in range(100))
    ids = [mint.make(0.5) for _ in range(100)]
    assert [prediction_id.parse(each.text) for each in ids] == ids


def test_no_two_ids_are_equal() -> None:
    mint = prediction_id.Mint()
    assert len({mint.make(1).text for _ in range(2_000)}) == 2_000


def test_two_processes_of_one_snapshot_make_other_ids() -> None:
    mint = prediction_id.Mint()
    mint.make(1)
    restored = [copy.copy(mint) for _ in range(2)]
    for each in restored:
        each.forget()
    assert len({each.make(1).text[7:] for each in restored}) == 2
