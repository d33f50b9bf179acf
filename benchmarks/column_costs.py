"""What counting columns costs: the time in predict, and what a delivery of lines writes and a query reads."""

import json
import timeit
import uuid
from typing import Any

import numpy as np

from mlops_contract import Column, ColumnType, Contract, Task
from mlops_contract.column_bins import reference_of
from mlops_contract.contract import CATEGORIES, NUMBERS

Array = np.ndarray[Any, np.dtype[Any]]
JOBS = ("nurse", "baker", "pilot", "cook")


def microseconds(columns: int, rows: int) -> float:
    """Return the time that counting adds to a request of so many rows, in microseconds per row."""
    from predict.column_counts import ColumnCounter

    contract = Contract(
        Task.CLASSIFICATION,
        "outcome",
        (
            *(Column(f"c{place}", ColumnType.DOUBLE, place) for place in range(columns - columns // 4)),
            *(Column(f"t{place}", ColumnType.STRING, place, levels=JOBS) for place in range(columns // 4)),
        ),
    )
    random = np.random.default_rng(0)

    def feeds(count: int) -> dict[str, Array]:
        return {
            NUMBERS: random.standard_normal((count, contract.numbers)).astype(np.float32),
            CATEGORIES: random.choice(np.array(JOBS, object), (count, contract.categories)),
        }

    counter = ColumnCounter(contract, reference_of(contract, feeds(1000), np.zeros((1000, 2), np.float32)))
    counter._sampling.takes = lambda *_: 1  # type: ignore[method-assign]  # each request, as in a quiet hour
    asked, outputs = feeds(rows), np.zeros((rows, 2), np.float32)
    calls = max(20, 2000 // rows)
    return min(timeit.repeat(lambda: counter.count("id", asked, outputs), number=calls, repeat=5)) / calls / rows * 1e6


def storage(predictions: int, rows_per_line: int, lines_per_delivery: int) -> dict[str, float]:
    """Return what deliveries of lines of a 200-column model write, and what GET /drift/columns then reads."""
    import base64
    import time
    import zlib

    from moto import mock_aws

    from mlops.aws.dynamodb import DynamoTable
    from mlops.aws.stats_table import PredictionStats, Series, hour_of, hours_before
    from prediction_log.delivery import Delivery, Line
    from prediction_log.ledger import count_delivery
    from tests.support.tables import make_table

    with mock_aws():
        made = make_table("PredictionStatsTable", f"stats-{uuid.uuid4().hex[:8]}", "us-east-1")
        stats = PredictionStats(DynamoTable(made))
        random = np.random.default_rng(0)
        units: list[int] = []

        def sent(params: Any, **_: Any) -> None:
            requests = [next(iter(write.values())) for write in params["TransactItems"]]
            units.append(sum(2 * -(-_size(request) // 1024) for request in requests))

        made.meta.client.meta.events.register("provide-client-params.dynamodb.TransactWriteItems", sent)
        deliveries = predictions // (lines_per_delivery * rows_per_line)
        for delivery in range(deliveries):
            counts = random.multinomial(rows_per_line, np.full(13, 1 / 13), 200).ravel().astype("<u2")
            packed = base64.urlsafe_b64encode(zlib.compress(counts.tobytes(), 1)).decode()
            line = {
                "event": "mlops.prediction",
                "status": 200,
                "min_reader": 2,
                "task": "regression",
                "latency_ms": 1.5,
                "model_name": "wide",
                "model_version": 1,
                "stage": "Production",
                "n": rows_per_line,
                "columns": {"layout": "0" * 12, "counts": packed},
            }
            text, now = json.dumps(line), time.time()
            lines = tuple(Line(f"{delivery}-{place}", now, text) for place in range(lines_per_delivery))
            list(count_delivery(stats, list, Delivery(f"stream {delivery}", lines)))
        reads = {"items": 0, "queries": 0}
        query = made.query

        def counted(**request: Any) -> Any:
            answer = query(**request)
            reads["items"] += answer["Count"]
            reads["queries"] += 1
            return answer

        made.query = counted
        sums = stats.columns.window(Series("wide", 1, "Production"), hours_before(hour_of(time.time()), 23))
        assert sum(sums["0" * 12]) == 200 * deliveries * lines_per_delivery * rows_per_line
        return {"deliveries": deliveries, "write units a delivery": max(units), **reads}


def _size(request: Any) -> int:
    """Return about how many bytes an item or the changes of one have; the text of expressions makes it larger."""
    return len(json.dumps(request, default=lambda value: "b" * len(getattr(value, "value", value))))
