"""Imports of labels in this process: the routes, AWS Batch by name alone, and the job."""

import csv
import io
import json
from typing import Any

import boto3
import pyarrow as pa
from pyarrow import parquet

from label_imports.job import Job
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.label_imports_table import LabelImportsTable
from mlops.aws.label_intake import LabelIntake

BUCKET = "artifacts"


class Jobs:
    """AWS Batch: its jobs by id."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}

    def submit(self, name: str, environment: dict[str, str]) -> str:
        job_id = f"job-{len(self.jobs)}"
        self.jobs[job_id] = {"jobId": job_id, "jobName": name, "status": "RUNNING", "environment": environment}
        self.names[name] = job_id
        return job_id

    def find(self, name: str) -> str | None:
        return self.names.get(name)

    def describe(self, job_ids: list[str]) -> list[dict[str, Any]]:
        return [self.jobs[job_id] for job_id in job_ids if job_id in self.jobs]


class Imports:
    """The routes and the job on the platform's tables."""

    def __init__(self, platform: Any, table: LabelImportsTable, batches: BatchPredictionsTable, jobs: Jobs) -> None:
        self.platform, self.table, self.batches, self.jobs = platform, table, batches, jobs
        self.s3 = boto3.client("s3")

    def put(self, name: str, data: bytes) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=f"datasets/{name}", Body=data)
        return f"s3://{BUCKET}/datasets/{name}"

    def ask(self, address: str, **fields: Any) -> tuple[int, Any]:
        return self.platform.ask("POST", "/feedback/imports", {"model_name": "churn", "input": address, **fields})

    def start(self, address: str, **fields: Any) -> str:
        status, state = self.ask(address, **fields)
        assert status == 202, state
        assert state["status"] == "pending"
        return str(state["import_id"])

    def job(self, import_id: str) -> Job:
        return self.job_with(LabelIntake.from_environment(), import_id)

    def job_with(self, intake: Any, import_id: str) -> Job:
        return Job(self.s3, BUCKET, self.table, self.batches, intake, self.table.get(import_id))

    def run(self, address: str, **fields: Any) -> Any:
        import_id = self.start(address, **fields)
        self.job(import_id).run()
        return self.state(import_id)

    def state(self, import_id: str) -> Any:
        status, state = self.platform.ask("GET", f"/feedback/imports/{import_id}")
        assert status == 200, state
        return state

    def refused(self, import_id: str) -> list[dict[str, str]]:
        data = self.s3.get_object(Bucket=BUCKET, Key=f"label-imports/{import_id}/refused.csv")["Body"].read()
        return [*csv.DictReader(io.StringIO(data.decode()))]


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    names = [*dict.fromkeys(name for row in rows for name in row)]
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()
