"""Rollouts as predict follows them: who answers, what is compared, and that nothing costs a request its answer."""

import time
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlops.domain.feedback.kept_answers import kept_of
from mlops.domain.feedback.prediction_id import PredictionId
from mlops.domain.manifest import manifest_key
from mlops.domain.rollout.counts import counts_of_line
from mlops.domain.rollout.live import CANARY, LiveRollout, rollout_key
from mlops.domain.rollout.routing import in_canary
from predict import trials
from tests.support.serving import served

NAME = "digit-classifier"
ROLLOUT = "ro_0123456789abcdef0123"
KEY = rollout_key(NAME)
CUSTOMERS = [f"customer {number}" for number in range(40)]


def body(number: float) -> dict[str, Any]:
    return {"image": [round(float(pixel), 3) for pixel in np.random.default_rng(int(number)).random(784)]}


def live(challenger: Any, **changes: Any) -> LiveRollout:
    manifest = challenger.manifest
    usual = LiveRollout(ROLLOUT, 1, manifest.model_version, manifest.sha256, 1, 25.0, 1.0, 1_000.0, time.time() + 300)
    return replace(usual, **changes)


@pytest.fixture
def challenger() -> Any:
    return served(2)


@pytest.fixture
def begin(store: Any, challenger: Any) -> Any:
    """Writes the files of a rollout, as the function rollout does."""

    def beginning(with_file: bool = True, **changes: Any) -> None:
        if with_file:
            store.put(challenger.manifest.key, challenger.onnx)
        store.put(manifest_key(NAME, CANARY), challenger.manifest.to_json())
        store.put(KEY, live(challenger, **changes).to_json())

    return beginning


@pytest.fixture
def predict(store: Any, start: Any) -> Any:
    store.promote(served(1))
    predict = start()
    predict.app.rollouts._clock = predict.clock
    predict.app.rollouts.recheck()
    trials.COMPARISONS._paused_until = float("-inf")
    return predict


def ask(predict: Any, number: int = 0, customer: str | None = None, **event: Any) -> Any:
    headers = {"Content-Type": "application/json"} | ({"X-Routing-Key": customer} if customer else {})
    return predict.call(body(number), headers=headers, **event)


def lasts(lines: Any) -> dict[str, Any]:
    *_, last = (line for line in lines() if line["event"] == "mlops.prediction")
    return dict(last)


def test_without_a_rollout_nothing_is_different(predict: Any, lines: Any) -> None:
    answer = ask(predict)
    assert (answer.status, answer.json["model_version"]) == (200, 1)
    assert "variant" not in answer.json
    assert not {"rollout", "variant"} & lasts(lines).keys()


def test_a_warm_request_reads_nothing_and_a_refresh_reads_the_file_once(predict: Any, monkeypatch: Any) -> None:
    ask(predict)
    asked: list[str] = []
    get = predict.app.bucket.get
    monkeypatch.setattr(predict.app.bucket, "get", lambda key, **more: asked.append(key) or get(key, **more))
    for number in range(5):
        ask(predict, number)
    assert asked == []
    predict.clock.now += 5
    ask(predict)
    assert sorted(asked) == [manifest_key(NAME, "Production"), KEY]


def test_in_the_shadow_production_answers_everybody_and_the_line_has_what_differs(
    predict: Any, begin: Any, lines: Any
) -> None:
    alone = [ask(predict, number).without_id for number in range(100, 110)]
    begin(weight=0.0, step=0)
    predict.clock.now += 5
    for number, before in enumerate(alone, 100):
        predict.app.answers._entries.clear()
        assert ask(predict, number, CUSTOMERS[0]).without_id == before
        line = lasts(lines)
        assert {"id": ROLLOUT, "step": 0, "requests": 1, "asked": 1, "pairs": 1}.items() <= line["rollout"].items()
        assert "variant" not in line
        assert line["rollout"].get("disagreed", 0) in (0, 1000)


def test_a_customer_stays_with_the_version_that_the_hash_chooses(predict: Any, begin: Any, lines: Any) -> None:
    begin()
    canary = {customer for customer in CUSTOMERS if in_canary(ROLLOUT, customer, 25.0)}
    assert 0 < len(canary) < len(CUSTOMERS)
    for number in range(2):
        for customer in CUSTOMERS:
            answer = ask(predict, number, customer)
            line = lasts(lines)
            expected = (2, "canary") if customer in canary else (1, None)
            assert (answer.json["model_version"], answer.json.get("variant")) == expected
            assert (line["model_version"], line.get("variant")) == expected
            assert line["rollout"].get("canary", 0) == (customer in canary)
            assert answer.json["model_stage"] == "Production"


def test_a_routing_key_is_not_logged(predict: Any, begin: Any, capsys: Any) -> None:
    begin()
    ask(predict, 0, "the secret customer")
    assert "secret" not in capsys.readouterr().out


def test_each_version_has_a_cached_answer_and_hits_are_not_compared(predict: Any, begin: Any, lines: Any) -> None:
    begin()
    inside = next(customer for customer in CUSTOMERS if in_canary(ROLLOUT, customer, 25.0))
    outside = next(customer for customer in CUSTOMERS if not in_canary(ROLLOUT, customer, 25.0))
    first = {customer: ask(predict, 3, customer).without_id for customer in (outside, inside)}
    for customer in (inside, outside, inside):
        lines()
        again = ask(predict, 3, customer)
        assert again.without_id == first[customer]
        assert again.headers["x-cache"] == "hit"
        assert "asked" not in lasts(lines)["rollout"]


def test_only_the_share_is_compared(predict: Any, begin: Any, lines: Any) -> None:
    begin(weight=0.0, share=0.25)
    compared = 0
    for number in range(60):
        context = {"requestId": f"request-{number}", "identity": {"apiKeyId": "key-1"}}
        ask(predict, number, requestContext=context)
        compared += "asked" in lasts(lines)["rollout"]
    assert 4 <= compared <= 28


def test_a_batch_counts_once_with_the_share_of_its_rows(predict: Any, begin: Any, lines: Any) -> None:
    begin(weight=0.0)
    images = [body(number)["image"] for number in range(20)]
    answer = predict.call({"images": images}, "/predict/batch")
    theirs = [
        predict.app.models.current(NAME, CANARY)[0].probabilities(np.array([image], np.float32)).argmax()
        for image in images
    ]
    differing = sum(int(a) != b for a, b in zip(theirs, answer.json["predictions"], strict=True))
    assert 0 < differing < 20
    counted = lasts(lines)["rollout"]
    before, after = Counter(answer.json["predictions"]), Counter(map(int, theirs))
    assert counted == {
        "id": ROLLOUT,
        "step": 1,
        "requests": 1,
        "asked": 1,
        "pairs": 1,
        "disagreed": 50 * differing,
        **{f"g{label}": 50 * count for label, count in (after - before).items()},
        **{f"l{label}": 50 * count for label, count in (before - after).items()},
    }
    assert counts_of_line(counted)


@pytest.mark.parametrize(("weight", "variant"), [(0.0, None), (100.0, "canary")])
def test_the_line_has_what_the_other_version_answered_for_the_labels_that_come(
    predict: Any, begin: Any, lines: Any, monkeypatch: Any, weight: float, variant: str | None
) -> None:
    begin(weight=weight)
    images = [body(number)["image"] for number in range(20)]
    alone = predict.call({"images": images, "version": 1}, "/predict/batch").json["predictions"]
    minted = PredictionId("A" * 20, int(time.time()), True)
    monkeypatch.setattr(predict.app, "new_id", lambda rows: minted)
    answer = predict.call({"images": images}, "/predict/batch").json
    line = lasts(lines)
    kept = kept_of(line, "2026-01-01T00")
    assert kept is not None
    assert kept.answers.other is not None
    other = kept.answers.other
    assert (line.get("variant"), other.is_champion, other.rollout_id, other.phase) == (
        variant, variant is not None, ROLLOUT, 1
    )  # fmt: skip
    challenger, _ = predict.app.models.current(NAME, CANARY)
    theirs = [int(row.argmax()) for row in challenger.probabilities(np.array(images, np.float32))]
    assert (answer["predictions"], list(other.places)) == ((theirs, alone) if variant else (alone, theirs))
    assert alone != theirs


def test_a_request_that_is_not_compared_has_only_its_own_answers(predict: Any, begin: Any, lines: Any) -> None:
    begin(weight=100.0, share=0.0)
    assert ask(predict).json["model_version"] == 2
    assert "other" not in lasts(lines)["feedback"]


@pytest.mark.parametrize(("limit", "unsure"), [(1e-9, range(1, 1000)), (0.999, range(1)), (None, range(1))])
def test_rows_of_which_the_challenger_is_less_sure_are_counted(
    predict: Any, begin: Any, lines: Any, limit: float | None, unsure: range
) -> None:
    begin(weight=0.0, confidence_drop=limit)
    predict.call({"images": [body(number)["image"] for number in range(20)]}, "/predict/batch")
    assert lasts(lines)["rollout"].get("unsure", 0) in unsure


@pytest.mark.parametrize("weight", [0.0, 100.0])
def test_a_challenger_that_fails_costs_no_request_its_answer(
    predict: Any, begin: Any, lines: Any, monkeypatch: Any, weight: float
) -> None:
    begin(weight=weight)
    ask(predict)
    run = predict.app.answering.run

    def failing(model: Any, *rest: Any) -> Any:
        if model.manifest.model_version == 2:
            raise RuntimeError("out of memory")
        return run(model, *rest)

    monkeypatch.setattr(predict.app.answering, "run", failing)
    lines()
    answer = ask(predict, 7)
    assert (answer.status, answer.json["model_version"]) == (200, 1)
    assert "variant" not in answer.json
    assert lasts(lines)["rollout"] == {"id": ROLLOUT, "step": 1, "requests": 1, "asked": 1, "failed": 1}


@pytest.mark.parametrize("weight", [0.0, 100.0])
def test_a_request_that_neither_version_takes_is_the_callers_fault(
    predict: Any, begin: Any, lines: Any, weight: float
) -> None:
    begin(weight=weight)
    refused = predict.call({"image": [2.0] * 784})
    assert (refused.status, refused.json["code"]) == (422, "validation_failed")
    assert "rollout" not in lasts(lines)


def test_a_slow_challenger_is_compared_less_and_counted(predict: Any, begin: Any, lines: Any, monkeypatch: Any) -> None:
    begin(weight=0.0, latency_ratio=2.0)
    ask(predict)
    run = predict.app.answering.run
    clock = iter(np.arange(0, 1e6, 0.5))  # each look at the clock is half a second later

    def slow(model: Any, *rest: Any) -> Any:
        if model.manifest.model_version == 2:
            for _ in range(4):
                next(clock)
        return run(model, *rest)

    monkeypatch.setattr(predict.app.answering, "run", slow)
    monkeypatch.setattr(trials.COMPARISONS, "_clock", lambda: next(clock))
    lines()
    ask(predict, 11)
    assert lasts(lines)["rollout"]["slower"] == 1
    ask(predict, 12)
    assert lasts(lines)["rollout"] == {"id": ROLLOUT, "step": 1, "requests": 1, "skipped": 1}
    for _ in range(100):
        next(clock)
    ask(predict, 13)
    assert lasts(lines)["rollout"]["asked"] == 1


def test_a_challenger_that_cannot_be_loaded_is_skipped_and_not_asked_for_each_time(
    predict: Any, begin: Any, lines: Any, monkeypatch: Any
) -> None:
    begin(with_file=False, weight=100.0)
    answer = ask(predict)
    assert (answer.status, answer.json["model_version"]) == (200, 1)
    asked: list[str] = []
    get = predict.app.bucket.get
    monkeypatch.setattr(predict.app.bucket, "get", lambda key, **more: asked.append(key) or get(key, **more))
    for number in range(1, 4):
        assert ask(predict, number).json["model_version"] == 1
        assert lasts(lines)["rollout"] == {"id": ROLLOUT, "step": 1, "requests": 1, "skipped": 1}
    assert asked == []


def test_another_file_than_the_rollouts_is_not_asked(predict: Any, begin: Any) -> None:
    begin(weight=100.0, sha256="f" * 64)
    assert ask(predict).json["model_version"] == 1


def test_the_file_ends_by_itself(predict: Any, begin: Any) -> None:
    begin(weight=100.0, until=time.time() + 1)
    assert ask(predict).json["model_version"] == 2
    predict.app.rollouts._now = lambda: time.time() + 1
    assert ask(predict).json["model_version"] == 1


def test_a_rollout_over_another_version_than_productions_is_ignored(predict: Any, begin: Any) -> None:
    begin(weight=100.0, champion=3)
    assert ask(predict).json["model_version"] == 1


def test_an_abort_is_followed_at_the_next_refresh_and_the_challengers_memory_is_free(
    predict: Any, begin: Any, store: Any
) -> None:
    begin(weight=100.0)
    assert ask(predict).json["model_version"] == 2
    store.delete(KEY)
    assert ask(predict).json["model_version"] == 2
    predict.clock.now += 5
    assert ask(predict).json["model_version"] == 1
    assert (NAME, CANARY) not in predict.app.models._slots


def test_while_s3_is_away_the_rollout_goes_on_until_its_time(predict: Any, begin: Any, monkeypatch: Any) -> None:
    from predict.s3 import S3Unavailable

    begin(weight=100.0)
    assert ask(predict).json["model_version"] == 2

    def away(*_: Any, **__: Any) -> None:
        raise S3Unavailable("away")

    monkeypatch.setattr(predict.app.bucket, "get", away)
    predict.clock.now += 60
    assert ask(predict).json["model_version"] == 2
    predict.app.rollouts._now = lambda: time.time() + 301
    assert ask(predict).json["model_version"] == 1


@pytest.mark.parametrize("data", [b"", b"[]", b'{"id": 3}', b'{"min_reader": 9}', b"{" * 9_000, b"x" * (65 << 10)])
def test_a_file_that_cannot_be_read_is_no_rollout(predict: Any, store: Any, data: bytes) -> None:
    store.put(KEY, data)
    assert ask(predict).json["model_version"] == 1


def test_a_later_versions_fields_are_passed_over(challenger: Any) -> None:
    written = live(challenger)
    assert LiveRollout.from_json(written.to_json()[:-1] + b', "a later one": []}') == written


def test_pinned_versions_and_staging_know_of_no_rollout(predict: Any, begin: Any, store: Any) -> None:
    begin(weight=100.0)
    store.promote(served(3, stage="Staging"))
    assert predict.call(body(0) | {"version": 1}).json["model_version"] == 1
    assert predict.call(body(0), "/predict/staging").json["model_version"] == 3
    assert predict.call(body(0) | {"version": 2}).status == 409


def test_a_promotion_during_a_rollout_never_holds_three_models(predict: Any, begin: Any, store: Any) -> None:
    begin(weight=100.0)
    assert ask(predict).json["model_version"] == 2
    held: list[set[Any]] = []
    file_of = predict.app.models._file
    predict.app.models._file = lambda manifest: held.append(set(predict.app.models._slots)) or file_of(manifest)
    store.promote(served(3))
    predict.clock.now += 5
    assert ask(predict).json["model_version"] == 3  # the rollout is over another version
    assert held == [{(NAME, "Production")}]
