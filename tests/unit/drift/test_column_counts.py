"""Counts of columns: each delivery once, whatever process dies or is slow between two writes, and few items to read."""

import base64
import json
import threading
import time
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError

from mlops.aws import column_counts
from mlops.aws.column_counts import DELTAS, Generation
from mlops.aws.stats_table import Marker, PredictionStats, Series, hour_of
from mlops.domain.drift.column_counts import counts_of_columns, packed, together, unpacked
from mlops.domain.drift.counts import Malformed
from prediction_log.delivery import Line
from prediction_log.line_counts import count_lines

SERIES = Series("churn", 3, "Production")
NOW = time.time()
HOUR = hour_of(NOW)
LAYOUT = "0123456789ab"


def add(stats: PredictionStats, counts: list[int], hour: str = HOUR, layout: str = LAYOUT) -> bool:
    """One delivery."""
    place = SERIES, hour
    return stats.add([Marker(uuid.uuid4().hex)], {place: {"n": 1}}, {SERIES: {"n": 1}}, {place: {layout: counts}})


def counted(stats: PredictionStats) -> dict[str, list[int]]:
    return stats.columns.window(SERIES, HOUR)


def line(numbers: list[int], n: int = 1, **columns: Any) -> dict[str, Any]:
    data = base64.urlsafe_b64encode(zlib.compress(np.array(numbers, "<u2").tobytes())).decode()
    return {
        "event": "mlops.prediction",
        "status": 200,
        "latency_ms": 1,
        "min_reader": 2,
        "task": "regression",
        "model_name": "churn",
        "model_version": 3,
        "stage": "Production",
        "n": n,
        "columns": {"layout": LAYOUT, "counts": data} | columns,
    }


class TestLines:
    def test_counts_are_read_as_predict_writes_them(self) -> None:
        assert counts_of_columns(line([1, 0, 0, 1])) == {LAYOUT: [1, 0, 0, 1]}
        assert counts_of_columns(line([3, 0, 1, 2], n=3)) == {LAYOUT: [3, 0, 1, 2]}
        assert counts_of_columns({"n": 1}) == {}
        assert unpacked(packed([1, 0, 70_000])) == [1, 0, 70_000]

    @pytest.mark.parametrize(
        "columns",
        [
            {"layout": "x" * 12},
            {"counts": "no base64!"},
            {"counts": base64.urlsafe_b64encode(b"no zlib").decode()},
            {"counts": base64.urlsafe_b64encode(zlib.compress(b"odd")).decode()},
            {"counts": base64.urlsafe_b64encode(zlib.compress(b"")).decode()},
            {"counts": base64.urlsafe_b64encode(zlib.compress(bytes(100)))[:12].decode()},
            {"counts": base64.urlsafe_b64encode(zlib.compress(bytes(1_000_000))).decode()},
        ],
    )
    def test_counts_that_cannot_be_right_are_malformed(self, columns: dict[str, Any]) -> None:
        with pytest.raises(Malformed):
            counts_of_columns(line([1, 0], **columns))

    def test_counts_of_another_number_of_rows_are_malformed(self) -> None:
        with pytest.raises(Malformed):
            counts_of_columns(line([1, 1, 1], n=2))

    def test_lines_of_one_hour_are_added_up(self) -> None:
        lines = [Line(str(i), NOW, json.dumps(line([1, 0, 0, 1]))) for i in range(5)]
        other = Line("other", NOW, json.dumps(line([0, 1], layout="f" * 12)))
        broken = Line("broken", NOW, json.dumps(line([0, 1, 1])))
        result = count_lines([*lines, other, broken])
        assert result.columns == {(SERIES, HOUR): {LAYOUT: [5, 0, 0, 5], "f" * 12: [0, 1]}}
        assert (result.lines, result.skipped) == (6, {"malformed": 1})
        assert result.hours[SERIES, HOUR]["n"] == 6

    def test_of_one_layout_all_have_one_length(self) -> None:
        with pytest.raises(Malformed):
            together([{LAYOUT: [1]}, {LAYOUT: [1, 2]}])


def test_deliveries_are_added_up_by_layout(stats: PredictionStats) -> None:
    assert counted(stats) == {}
    add(stats, [1, 2, 3])
    add(stats, [0, 0, 1])
    add(stats, [5], layout="f" * 12)
    assert counted(stats) == {LAYOUT: [1, 2, 4], "f" * 12: [5]}
    assert stats.window(SERIES, HOUR) == {"n": 3}  # the generation is no count


def test_a_marker_that_exists_adds_nothing(stats: PredictionStats) -> None:
    marker, place = Marker("m"), (SERIES, HOUR)
    writes = ([marker], {place: {"n": 1}}, {SERIES: {"n": 1}}, {place: {LAYOUT: [1]}})
    assert [stats.add(*writes), stats.add(*writes)] == [True, False]
    assert counted(stats) == {LAYOUT: [1]}


def test_a_query_reads_as_many_items_whatever_the_number_of_deliveries(
    stats: PredictionStats, stats_table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    query = stats_table.query

    def counting(**request: Any) -> Any:
        answer = query(**request)
        read.append(answer["Count"])
        return answer

    monkeypatch.setattr(stats_table, "query", counting)
    most = 0
    for deliveries in range(1, 3 * DELTAS):
        add(stats, [1, 0])
        if deliveries % 7 == 0:
            read.clear()
            assert counted(stats) == {LAYOUT: [deliveries, 0]}
            most = max(most, sum(read))
    assert most <= DELTAS + 3
    stats.columns.fold_past(SERIES, HOUR, HOUR)
    read.clear()
    assert counted(stats) == {LAYOUT: [3 * DELTAS - 1, 0]}
    assert sum(read) == 2  # the hour and its total


def test_concurrent_deliveries_and_folds_count_once(
    stats: PredictionStats, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(column_counts, "DELTAS", 4)
    call, one_at_a_time = client._make_api_call, threading.Lock()

    def called(*arguments: Any) -> Any:  # moto takes one request at a time
        with one_at_a_time:
            return call(*arguments)

    monkeypatch.setattr(client, "_make_api_call", called)

    def deliver(_: int) -> None:
        while not add(stats, [1, 2]):
            pass

    stopped = threading.Event()

    def folding() -> None:
        while not stopped.is_set():
            stats.columns.fold(SERIES, HOUR, stats.columns.generation(SERIES, HOUR))

    folder = threading.Thread(target=folding)
    folder.start()
    try:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(deliver, range(60)))
    finally:
        stopped.set()
        folder.join()
    assert counted(stats) == {LAYOUT: [60, 120]}
    assert stats.window(SERIES, HOUR)["n"] == 60


def test_a_fold_that_dies_after_each_of_its_writes_is_made_up_for(
    stats: PredictionStats, stats_table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        add(stats, [1])
    generation = stats.columns.generation(SERIES, HOUR)
    assert generation == Generation(0, 3)

    def dies(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "InternalServerError"}}, "PutItem")

    with monkeypatch.context() as broken:  # after the next generation began, before the sum was written
        broken.setattr(stats_table, "put_item", dies)
        with pytest.raises(ClientError):
            stats.columns.fold(SERIES, HOUR, generation)
    assert counted(stats) == {LAYOUT: [3]}
    add(stats, [1])
    assert counted(stats) == {LAYOUT: [4]}
    stats.columns.fold(SERIES, HOUR, stats.columns.generation(SERIES, HOUR))  # adds up both generations
    assert counted(stats) == {LAYOUT: [4]}
    stats.columns.fold(SERIES, HOUR, generation)  # a process that wakes up late
    assert counted(stats) == {LAYOUT: [4]}


def test_a_delivery_that_read_the_generation_before_a_fold_is_not_written(
    stats: PredictionStats, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(stats, [1])
    generation = stats.columns.generation(SERIES, HOUR)
    monkeypatch.setattr(stats.columns, "generation", lambda *_: generation)
    stats.columns.fold(SERIES, HOUR, generation)
    assert add(stats, [1]) is False
    monkeypatch.undo()
    assert add(stats, [1]) is True
    assert counted(stats) == {LAYOUT: [2]}
    assert stats.window(SERIES, HOUR) == {"n": 2}


@pytest.mark.parametrize(("levels", "most"), [(0, 12), (50, 20)], ids=["numbers", "half of them with 50 levels"])
def test_write_units_of_a_delivery_of_100_lines_of_200_columns(
    stats: PredictionStats, client: Any, levels: int, most: int
) -> None:
    random = np.random.default_rng(0)
    widths = [13 if not levels or column % 2 else levels + 3 for column in range(200)]
    counts = [count for width in widths for count in random.multinomial(100, np.full(width, 1 / width)).tolist()]
    sizes = []

    def sent(params: Any, **_: Any) -> None:
        for write in params["TransactItems"]:
            ((_, request),) = write.items()
            sizes.append(len(json.dumps(request, default=lambda value: "b" * len(getattr(value, "value", value)))))

    client.meta.events.register("provide-client-params.dynamodb.TransactWriteItems", sent)
    classes = {f"p:{label}": 50 for label in ("stays", "leaves")} | {f"c{place}": 10 for place in range(10)}
    hour = {"n": 100, "r": 100, "cs": 80_000_000, "cq": 70_000_000, "l1": 90, "l2": 10, "ls": 150_000} | classes
    place = SERIES, HOUR
    stats.add([Marker("stream 1", "0", bytes(800))], {place: hour}, {SERIES: hour}, {place: {LAYOUT: counts}})
    # A write in a transaction takes two units for each kilobyte. The text of a request is longer than its item.
    units = sum(2 * -(-size // 1024) for size in sizes)
    assert len(sizes) == 4
    assert units <= most
