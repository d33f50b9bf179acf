"""Fixtures: the tables and topics of monitoring on moto, and log lines as predict writes them."""

import base64
import gzip
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlops.aws.drift_records import DriftRecords
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.stats_table import PredictionStats
from tests.support.tables import make_table


@pytest.fixture
def stats_table(aws: None) -> Any:
    return make_table("PredictionStatsTable", f"stats-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def stats(stats_table: Any) -> PredictionStats:
    return PredictionStats(DynamoTable(stats_table))


@pytest.fixture
def records(stats_table: Any) -> DriftRecords:
    return DriftRecords(DynamoTable(stats_table))


@pytest.fixture
def client(stats_table: Any) -> Any:
    """The client that the adapters of the table use."""
    return stats_table.meta.client


@pytest.fixture(scope="session")
def make_line() -> Callable[..., dict[str, Any]]:
    """The line of a request for `n` images, as predict writes it."""

    def make(n: int = 1, seed: int = 0, **changes: Any) -> dict[str, Any]:
        random = np.random.default_rng(seed)
        return {
            "event": "mlops.prediction",
            "request_id": f"request-{seed}",
            "status": 200,
            "cache": "miss",
            "staleness_s": 0.1,
            "latency_ms": 1.25,
            "model_name": "digit-classifier",
            "model_version": 3,
            "stage": "Production",
            "n": n,
            "predictions": random.integers(0, 10, n).tolist(),
            "confidences": random.random(n).round(4).tolist(),
            "signals_permille": {
                "mean_intensity": random.integers(0, 1001, n).tolist(),
                "ink_share": random.integers(0, 1001, n).tolist(),
                "block_means": random.integers(0, 1001, (n, 49)).tolist(),
            },
            **changes,
        }

    return make


@pytest.fixture(scope="session")
def make_delivery() -> Callable[..., str]:
    """What the subscription hands the function as `awslogs.data`, of lines (dicts or texts) written at `seconds`."""

    def make(*lines: Any, seconds: float | None = None, ids: list[str] | None = None, **changes: Any) -> str:
        at = int((time.time() if seconds is None else seconds) * 1000)
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        names = ids or [uuid.uuid4().hex for _ in lines]
        events = [{"id": name, "timestamp": at, "message": text} for name, text in zip(names, texts, strict=True)]
        message = {"messageType": "DATA_MESSAGE", "logGroup": "predict", "logStream": "s", "logEvents": events}
        return base64.b64encode(gzip.compress(json.dumps({**message, **changes}).encode())).decode()

    return make
