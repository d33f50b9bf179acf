"""Answers are kept while they repeat, and only some of them while they do not."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest

from predict.response_cache import IDLE_AFTER, IDLE_SHARE, MAX_BYTES
from tests.support.serving import served


@pytest.fixture
def predict(store: Any, start: Callable[[], Any]) -> Any:
    store.promote(served(1))
    return start()


@pytest.fixture
def others() -> Iterator[dict[str, Any]]:
    """Bodies that differ everywhere, so that none has the key of another."""
    random = np.random.default_rng(0)
    return ({"image": random.integers(0, 256, 784).tolist(), "scale": 255} for _ in count())


def cache_of(predict: Any, body: dict[str, Any]) -> str:
    answer = predict.call(body)
    assert answer.status == 200
    shown: str = answer.headers["x-cache"]
    return shown


def test_while_nothing_repeats_one_answer_in_eight_is_kept(predict: Any, others: Iterator[dict[str, Any]]) -> None:
    for _ in range(IDLE_AFTER):
        assert cache_of(predict, next(others)) == "miss"
    assert predict.app.answers.size <= MAX_BYTES
    asked = [next(others) for _ in range(3 * IDLE_SHARE)]
    entries = predict.app.answers._entries
    before = {*entries}
    for body in asked:
        cache_of(predict, body)
    assert len({*entries} - before) == 3


def test_after_a_repetition_all_answers_are_kept_again(predict: Any, others: Iterator[dict[str, Any]]) -> None:
    for _ in range(IDLE_AFTER):
        cache_of(predict, next(others))
    repeated = next(others)
    shown = [cache_of(predict, repeated) for _ in range(IDLE_SHARE + 1)]
    assert shown[0] == "miss"
    assert shown[-1] == "hit", "a body that comes again and again is kept within IDLE_SHARE requests"
    for body in [next(others) for _ in range(10)]:
        assert [cache_of(predict, body), cache_of(predict, body)] == ["miss", "hit"]
