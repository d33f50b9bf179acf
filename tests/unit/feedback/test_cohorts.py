"""Which hours a version's figures are of."""

import time
from typing import Any

import pytest
from boto3.dynamodb import conditions

from mlops.aws.stats_table import hour_of, hours_before
from tests.unit.feedback.conftest import MODEL, Platform


@pytest.fixture
def as_on_aws(monkeypatch: pytest.MonkeyPatch, raw_table: Any) -> None:
    """DynamoDB refuses a range that ends before it begins; moto answers that it is empty."""
    between = conditions.Key.between

    def refusing(self: Any, low: Any, high: Any) -> Any:
        assert low <= high, f"BETWEEN {low!r} AND {high!r}"
        return between(self, low, high)

    monkeypatch.setattr(conditions.Key, "between", refusing)


def test_a_look_back_that_is_shorter_than_the_delay_has_no_mature_hours(as_on_aws: None, platform: Platform) -> None:
    minted = platform.answered([(0.25, 0.75)])
    platform.give(prediction_id=minted, label="yes")
    for hours in ("1", "24"):
        (version,) = platform.status(hours=hours, delay_hours="24")["versions"]
        assert (version["labels"], version["verdict"]["status"]) == (1, "insufficient_data")


def test_labels_that_are_too_young_are_told_with_when_they_count(platform: Platform) -> None:
    now = time.time()
    for hours in (20, 2):
        minted = platform.answered([(0.25, 0.75)] * 3, seconds=now - hours * 3600)
        for row in range(3):
            platform.give(prediction_id=minted, row=row, label="yes")
    first, last = (f"{hours_before(hour_of(now), hours - 24)}:00Z" for hours in (20, 2))
    (version,) = platform.status(hours="48", delay_hours="24")["versions"]
    assert version["verdict"]["message"] == (
        "0 labels; a verdict needs 100. 6 more are of predictions that are too young, and count "
        f"between {first} and {last}"
    )
    (version,) = platform.status(hours="48", delay_hours="10")["versions"]
    only = f"{hours_before(hour_of(now), 2 - 10)}:00Z"
    assert version["verdict"]["message"] == (
        f"3 labels; a verdict needs 100. 3 more are of predictions that are too young, and count from {only}"
    )
    (version,) = platform.status(hours="48", delay_hours="0")["versions"]
    assert version["verdict"]["message"] == "6 labels; a verdict needs 100"


def test_an_hour_belongs_to_the_step_in_which_it_begins(as_on_aws: None, platform: Platform) -> None:
    minted = platform.answered([(0.25, 0.75)], seconds=time.time() - 3 * 3600)
    platform.give(prediction_id=minted, label="yes")
    _, history = platform.ask("GET", "/performance/history", model_name=MODEL, hours="6", step_hours="2")
    begins = f"{hours_before(hour_of(time.time()), 3)}:00:00Z"
    (found,) = [point for point in history["points"] if point["labels"]]
    assert found["start"] <= begins < found["end"]
