"""Fixtures: the feedback table on moto, and answers as predict keeps them."""

import dataclasses
import json
import os
import time
import uuid
from collections.abc import Iterator
from typing import Any, get_args

import boto3
import pytest

from feedback import app, imports, report
from feedback.imports import ImportSettings, LabelImports
from mlops.api import auth
from mlops.api.auth import AccessKeys, Role
from mlops.aws import dynamodb, label_intake, serving_bucket
from mlops.aws.batch_prediction_files import BatchPredictionFiles
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.label_imports_table import LabelImportsTable
from mlops.aws.stats_table import Marker, PredictionStats, Series, hour_of
from mlops.domain.drift.counts import KEPT
from mlops.domain.feedback.kept_answers import KeptAnswers, KeptRequest
from mlops.domain.feedback.prediction_id import Mint, text_of
from mlops.domain.manifest import Manifest, manifest_key
from prediction_log.waiting_answers import keep_in
from tests.support import gateway
from tests.support.label_imports import BUCKET, Imports, Jobs
from tests.support.serving import served
from tests.support.tables import make_table

MODEL, LABELS = "churn", ("no", "yes")


@pytest.fixture
def raw_table(aws: None) -> Any:
    return make_table("FeedbackTable", f"feedback-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def table(raw_table: Any) -> FeedbackTable:
    return FeedbackTable(DynamoTable(raw_table))


class Platform:
    """The feedback function and prediction_log's part on the same tables, with a model that serves."""

    def __init__(self, table: FeedbackTable, stats: PredictionStats) -> None:
        self.table, self.stats = table, stats
        self._lines = 0

    def answered(
        self,
        outputs: list[tuple[float, ...]],
        *,
        seconds: float | None = None,
        version: int = 3,
        labels: tuple[str, ...] = LABELS,
        own: tuple[str, ...] = (),
        sampled: bool = True,
        delivered: bool = True,
    ) -> str:
        """Let a version answer rows; the lines are delivered at once unless `delivered` is false. Returns the id."""
        at = time.time() if seconds is None else seconds
        minted = Mint().make(1.0 if sampled else 0.0)._replace(seconds=int(at))
        packed = (int(at) << 1 | sampled).to_bytes(5) + os.urandom(10)
        minted = minted._replace(text=text_of(packed))
        if delivered and sampled:
            unit = {} if labels else {"unit": -6}
            kept = KeptAnswers(version, "Production", hour_of(at), tuple(outputs), labels, **unit)
            keep_in(self.table)([(MODEL, KeptRequest(minted, kept, own))])
            self._lines += 1
            series, marker = Series(MODEL, version, "Production"), Marker(f"test {self._lines}")
            assert self.stats.add([marker], {(series, kept.hour): {"n": len(outputs), KEPT: len(outputs)}}, {})
        return minted.text

    def ask(self, method: str, path: str, body: Any = None, role: str = "feedback", **query: str) -> tuple[int, Any]:
        text = None if body is None else json.dumps(body)
        event = gateway.api_event(method, path, text, key=role, query=query)
        answer = app.handler(event, gateway.CONTEXT)
        return answer["statusCode"], json.loads(answer["body"])

    def give(self, **body: Any) -> tuple[int, Any]:
        return self.ask("POST", "/feedback", {"model_name": MODEL, **body})

    def status(self, **query: str) -> Any:
        status, body = self.ask("GET", "/performance/status", model_name=MODEL, **query)
        assert status == 200, body
        return body


@pytest.fixture
def manifest() -> Manifest:
    """Of a version with two labels, which was right on 90 % of 1,000 held-out rows."""
    made = served(3, model_name=MODEL, features=4, image=None, classes=2, labels=LABELS).manifest
    predictions = {"counts": [500, 500]}
    reference = {"count": 1000, "predictions": predictions, "confidence": {"edges": [], "counts": [100] * 10}}
    return dataclasses.replace(made, metrics={"accuracy": 0.9}, reference=reference)


@pytest.fixture
def platform(
    raw_table: Any, table: FeedbackTable, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="artifacts")
    s3.put_object(Bucket="artifacts", Key=manifest_key(MODEL, "Production"), Body=manifest.to_json())
    stats = f"stats-{uuid.uuid4().hex[:8]}"
    make_table("PredictionStatsTable", stats)
    for variable, value in {
        "ACCESS_KEYS_TABLE": gateway.make_access_keys(),
        "FEEDBACK_TABLE": raw_table.name,
        "PREDICTION_STATS_TABLE": stats,
        "GOVERNANCE_TABLE": make_table("GovernanceTable", f"governance-{uuid.uuid4().hex[:8]}").name,
        "ARTIFACT_BUCKET": "artifacts",
        "DEFAULT_MODEL_NAME": MODEL,
    }.items():
        monkeypatch.setenv(variable, value)
    keys = AccessKeys.from_environment()
    for role in get_args(Role):
        keys.add(role, role, role)
    cached = (label_intake._intake, report._report, serving_bucket._of_bucket, dynamodb.table_named, auth._keys_of)
    for made in cached:
        made.cache_clear()
    yield Platform(table, PredictionStats.from_environment())
    for made in cached:
        made.cache_clear()


@pytest.fixture
def importing(platform: Any, raw_table: Any, monkeypatch: pytest.MonkeyPatch) -> Imports:
    table, jobs = LabelImportsTable(DynamoTable(raw_table)), Jobs()
    batches = BatchPredictionsTable(DynamoTable(make_table("BatchPredictionsTable", f"batches-{uuid.uuid4().hex[:8]}")))
    made = LabelImports(ImportSettings(BUCKET, "queue", "definition"), table, BatchPredictionFiles(BUCKET), jobs)  # type: ignore[arg-type]
    monkeypatch.setattr(imports, "_imports", lambda: made)
    return Imports(platform, table, batches, jobs)
