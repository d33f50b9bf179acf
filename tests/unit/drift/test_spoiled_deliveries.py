"""Deliveries of predict's log after some accidents: what cannot be read is skipped, and no other line is lost."""

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.aws.stats_table import PredictionStats, Series
from prediction_log import app
from tests.support.fuzzing import JSON, budget, spoiled
from tests.support.gateway import CONTEXT

pytestmark = pytest.mark.fuzz

SERIES = Series("digit-classifier", 3, "Production")
Deliver = Callable[[str], dict[str, int]]


@pytest.fixture
def deliver(stats: PredictionStats, monkeypatch: pytest.MonkeyPatch) -> Deliver:
    monkeypatch.setattr(app, "stats", lambda: stats)
    monkeypatch.setattr(app, "keep", lambda: lambda kept, samples: None)
    return lambda data: app.handler({"awslogs": {"data": data}}, CONTEXT)  # type: ignore[no-any-return]


def counted(stats: PredictionStats) -> int:
    return stats.totals().get(SERIES, {}).get("n", 0)


@budget(4)
@given(data=st.data())
def test_lines_that_cannot_be_read_keep_no_other_from_being_counted(
    stats: PredictionStats, deliver: Deliver, make_line: Any, make_delivery: Any, data: st.DataObject
) -> None:
    honest = make_line(2, request_id=uuid.uuid4().hex)
    strange = spoiled([json.dumps(honest).encode()]).map(lambda line: line.decode(errors="replace"))
    lines = data.draw(st.lists(strange | JSON.map(json.dumps) | st.text(st.characters(codec="utf-8")), max_size=4))
    before = counted(stats)
    answer = deliver(make_delivery(*lines, honest))
    assert answer["delivered"] == len(lines) + 1
    assert counted(stats) >= before + 2
    again = deliver(make_delivery(honest, seconds=None))
    assert again["lines"] == 1, "the next delivery is counted"


@budget(10)
@given(data=st.data())
def test_any_data_is_a_delivery_or_skipped(
    stats: PredictionStats, deliver: Deliver, make_line: Any, make_delivery: Any, data: st.DataObject
) -> None:
    packed = base64.b64decode(make_delivery(make_line(1), ids=["1"], seconds=1_780_000_000))
    sent = data.draw(
        spoiled([packed]).map(lambda content: base64.b64encode(content).decode())
        | st.text(st.characters(codec="ascii"), max_size=60)
    )
    answer = deliver(sent)
    assert answer["lines"] + answer["skipped"] <= max(1, answer["delivered"])


@budget(10)
@given(data=st.data())
def test_any_message_of_the_log_service_is_a_delivery_or_skipped(
    stats: PredictionStats, deliver: Deliver, make_line: Any, make_delivery: Any, data: st.DataObject
) -> None:
    names = st.sampled_from(["messageType", "logStream", "logEvents", "logGroup"])
    # The log service writes UTF-8: no half of a surrogate pair is in it.
    values = JSON.filter(lambda value: "\\ud" not in json.dumps(value))
    events = st.lists(st.dictionaries(st.sampled_from(["id", "timestamp", "message"]), values), max_size=3)
    changes = data.draw(st.dictionaries(names, values | events, max_size=2))
    deliver(make_delivery(make_line(1), **changes))
