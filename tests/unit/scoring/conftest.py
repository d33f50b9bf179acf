"""Batch predictions on moto's AWS: the API, the jobs in this process, and the events of their ends."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from batch_predictions.app import handler
from batch_predictions.following import BatchPredictions
from batch_predictions.settings import BatchPredictionSettings
from batch_predictions.starting import BatchPredictionStarts
from job_events.batch_prediction_end import BatchPredictionEnds
from mlops.api.auth import AccessKeys
from mlops.aws.batch import Batch, BatchSettings
from mlops.aws.batch_job import BatchJob
from mlops.aws.batch_prediction_files import BatchPredictionFiles
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.serving_bucket import ServedModels
from mlops.domain.scoring_plan import ScoringPlan, plan_key
from scoring.job import Job
from tests.support import gateway
from tests.support.serving import Served
from tests.support.tables import make_table

BUCKET, ELSEWHERE = "artifacts", "results"
BATCH_JOB = "00000000-0000-0000-0000-000000000001"


@dataclass
class Platform:
    """All that takes part in a batch prediction."""

    s3: Any
    table: BatchPredictionsTable
    submitter: Stubber
    stopper: Stubber
    ends: BatchPredictionEnds
    submitted: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, role: str = "admin") -> tuple[int, dict[str, Any]]:
        event = gateway.api_event(method, path, None if body is None else json.dumps(body), key=role)
        answer = handler(event, gateway.CONTEXT)
        return answer["statusCode"], json.loads(answer["body"])

    def put(self, key: str, data: bytes) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=data)
        return f"s3://{BUCKET}/{key}"

    def promote(self, served: Served) -> None:
        for key, data in served.objects().items():
            self.put(key, data)

    def start(self, **fields: Any) -> dict[str, Any]:
        """Start a batch prediction that is accepted."""
        expected = {"jobName": ANY, "jobQueue": "queue", "jobDefinition": "scoring:1", "containerOverrides": ANY}
        if fields.pop("array", True):
            expected["arrayProperties"] = ANY
        self.submitter.add_response("submit_job", {"jobName": "j", "jobId": BATCH_JOB}, expected)
        body = {"model_name": "churn", "output": f"s3://{BUCKET}/scored/out/", **fields}
        status, state = self.ask("POST", "/batch-predictions", body)
        assert status == 202, state
        return state

    def plan(self, batch_id: str) -> ScoringPlan:
        return ScoringPlan.from_json(self.object(plan_key(batch_id)))

    def job(self, batch_id: str, shard: int) -> Job:
        return Job(self.s3, self.table, self.plan(batch_id), BUCKET, shard)

    def run(self, batch_id: str) -> bool:
        """Run all shards, and tell of the end."""
        self.tell(batch_id, "RUNNING", index=0)
        done = [self.job(batch_id, shard).run() for shard in range(len(self.plan(batch_id).shards))]
        self.tell(batch_id, "SUCCEEDED" if all(done) else "FAILED")
        return all(done)

    def tell(self, batch_id: str, status: str, index: int | None = None) -> None:
        """Deliver an event of AWS Batch."""
        job: BatchJob = {"jobId": BATCH_JOB, "jobName": batch_id, "jobQueue": "queue", "status": status}
        if index is not None:
            job |= {"jobId": f"{BATCH_JOB}:{index}", "arrayProperties": {"index": index}}
        assert self.ends.follow(job)

    def object(self, key: str, bucket: str = BUCKET) -> bytes:
        data: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return data

    def stored(self, prefix: str = "scored/", bucket: str = BUCKET) -> list[str]:
        listing = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [entry["Key"].removeprefix(prefix) for entry in listing.get("Contents", [])]


@pytest.fixture
def platform(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    s3 = boto3.client("s3")
    for bucket in (BUCKET, ELSEWHERE):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    table = BatchPredictionsTable(DynamoTable(make_table("BatchPredictionsTable", "batch-predictions")))
    settings = BatchPredictionSettings(BUCKET, output_buckets=ELSEWHERE, max_active_batch_predictions=2)
    files = BatchPredictionFiles(BUCKET)
    batch = Batch(BatchSettings("queue", "scoring:1"))
    parts = (settings, table, files, ServedModels(BUCKET), batch)
    monkeypatch.setattr(BatchPredictionStarts, "from_environment", lambda: BatchPredictionStarts(*parts))
    monkeypatch.setattr(BatchPredictions, "from_environment", lambda: BatchPredictions(*parts))
    monkeypatch.setenv("ACCESS_KEYS_TABLE", gateway.make_access_keys())
    keys = AccessKeys.from_environment()
    for role in ("predict", "read", "train", "admin"):
        keys.add(role, role, role)  # type: ignore[arg-type]
    with Stubber(batch._submitter) as submitter, Stubber(batch._batch) as stopper:
        yield Platform(s3, table, submitter, stopper, BatchPredictionEnds(table, files))
