"""Which requests the challenger answers."""

import pytest

from mlops.domain.rollout.routing import in_canary, in_shadow

KEYS = [f"customer {number}" for number in range(20_000)]


@pytest.mark.parametrize("weight", [1, 5, 50])
def test_the_share_of_many_keys_is_the_weight(weight):
    share = sum(in_canary("ro_1", key, weight) for key in KEYS) / len(KEYS)
    assert share == pytest.approx(weight / 100, abs=4 * (weight / 100 / len(KEYS)) ** 0.5)


def test_nobody_moves_back_when_the_weight_grows():
    before: set[str] = set()
    for weight in (0.5, 5, 25, 60, 100):
        now = {key for key in KEYS if in_canary("ro_1", key, weight)}
        assert before < now
        before = now
    assert before == set(KEYS)


def test_weight_zero_is_nobody():
    assert not any(in_canary("ro_1", key, 0) for key in KEYS)


def test_another_rollout_draws_other_keys():
    one, two = ({key for key in KEYS if in_canary(rollout, key, 20)} for rollout in ("ro_1", "ro_2"))
    assert len(one & two) / len(one) == pytest.approx(0.2, abs=0.05)


def test_whether_a_request_is_compared_does_not_depend_on_the_canary():
    canary = [key for key in KEYS if in_canary("ro_1", key, 30)]
    assert sum(in_shadow("ro_1", key, 0.25) for key in canary) / len(canary) == pytest.approx(0.25, abs=0.03)


def test_any_text_is_a_key():
    assert in_canary("ro_1", "", 100)
    assert in_canary("ro_1", "\ud800", 100)
