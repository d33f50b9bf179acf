"""What the console's tests look at: a model of digits and one of a table, watched, labelled, waiting and rolled out."""

import io
from dataclasses import dataclass
from typing import Any

import boto3
import numpy as np
import pyarrow
import pyarrow.csv

from infra.local.api import Api
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.jobs_table import JobsTable
from mlops.domain.job import Job, JobStatus
from mlops.registry.rest import Tracking
from tests.support.steps import ENDED, promote, train

ROWS = 1200
LABELS = 120
MANY_VERSIONS, MANY_JOBS = 200, 1000
JOBS = ("nurse", "baker", "pilot")
LONG = ("a-name-that-somebody-made-of-everything-that-is-known-about-the-run-" * 3)[:180]
"""About as long as a name may be."""


@dataclass(frozen=True)
class Scene:
    """Names of models, which are those of their experiments too, and the rollout that is under way.

    `digits` has a version in Production and one in Staging, which a rollout compares; `table` has one in Production,
    whose rows have moved and whose labels came back; `waiting` has one that waits for approval.
    """

    digits: str
    table: str
    waiting: str
    rollout_id: str


def customers(count: int, seed: int = 0, *, moved: bool = False) -> list[dict[str, Any]]:
    """Rows of the table; `moved` ones earn more, and a tenth has a job that training has not seen."""
    random = np.random.default_rng(seed)
    return [
        {
            "income": round(float(random.lognormal(10.5 if moved else 10, 0.5)), 2),
            "age": None if random.random() < 0.05 else int(random.normal(45, 12)),
            "member": bool(random.random() < 0.3),
            "job": "diver" if moved and random.random() < 0.1 else str(random.choice(JOBS, p=(0.6, 0.3, 0.1))),
        }
        for _ in range(count)
    ]


def leaves(row: dict[str, Any]) -> str:
    """What comes true of a row: the label of the table's column `leaves`."""
    return "yes" if row["income"] < 22_000 or row["job"] == "pilot" else "no"


def table_file() -> bytes:
    """The table as CSV."""
    rows = customers(ROWS)
    table = pyarrow.Table.from_pylist([{**row, "leaves": leaves(row)} for row in rows])
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(table, buffer)
    return buffer.getvalue()


def make_scene(api: Api, s3: Any, bucket: str, images: list[list[float]], suffix: str) -> Scene:
    """Train, promote, ask and label. `suffix` keeps apart what several runs of the tests make in one stack."""
    digits, table, waiting = (f"{name}-{suffix}" for name in ("digits", "customers", "careful"))
    s3.put_object(Bucket=bucket, Key=f"datasets/{table}.csv", Body=table_file())
    of_digits = {"model_name": digits, "experiment_name": digits}
    wishes = [
        {**of_digits, "run_name": "champion", "epochs": 5, "learning_rate": 0.005, "hidden_size": 128},
        {**of_digits, "run_name": "challenger", "epochs": 5, "learning_rate": 0.008, "hidden_size": 64},
        {
            "model_name": table,
            "experiment_name": table,
            "model_type": "lightgbm",
            "target": "leaves",
            "dataset": f"s3://{bucket}/datasets/{table}.csv",
        },
        {"model_name": waiting, "experiment_name": f"{LONG}{suffix}", "epochs": 1, "run_name": LONG},
        {"model_name": waiting, "experiment_name": waiting, "dataset": f"s3://{bucket}/datasets/missing.csv"},
    ]
    # The champion first, so that it is version 1 whatever the order in which jobs end.
    first, *others = wishes
    jobs = [api.post("/train", first)["job_id"]]
    api.wait(f"/train/status/{jobs[0]}", until=lambda each: each["status"] in ENDED)
    jobs += [api.post("/train", wish)["job_id"] for wish in others]
    ended = [api.wait(f"/train/status/{job}", until=lambda each: each["status"] in ENDED) for job in jobs]
    assert [job["status"] for job in ended] == ["completed"] * 4 + ["failed"], ended
    champion, challenger, only, careful, _ = (job["model_version"] for job in ended)
    assert promote(api, champion, model=digits)["status"] == "succeeded"
    assert promote(api, challenger, "Staging", digits)["status"] == "succeeded"
    assert promote(api, only, model=table)["status"] == "succeeded"
    settings = {"expected_version": 0, "settings": {"approvals": {"Production": 1}}, "reason": "the console's tests"}
    assert api.send("PUT", f"/models/{waiting}/settings", settings).status == 200
    asked = promote(api, careful, model=waiting, reason="it looks better")
    assert asked["status"] == "awaiting_approval", asked
    plan = {"version": challenger, "steps": [{"weight": 5, "minutes": 600}], "shadow_minutes": 600, "shadow_share": 1.0}
    rollout = api.post(f"/models/{digits}/rollouts", {**plan, "guardrails": {"max_latency_ratio": None}})
    for image in images[:30]:
        api.post("/predict", {"image": image, "model_name": digits})
    _watched_and_labelled(api, table)
    return Scene(digits, table, waiting, rollout["rollout_id"])


def _watched_and_labelled(api: Api, table: str) -> None:
    for seed in range(3):
        api.post("/predict/batch", {"rows": customers(100, seed, moved=True), "model_name": table})
    labels = []
    for row in customers(LABELS, 7, moved=True):
        answer = api.post("/predict", {"row": row, "model_name": table})
        labels.append({"prediction_id": answer["prediction_id"], "label": leaves(row)})
    # Of batches only a share is kept; a request has at most a hundred labels.
    for start in range(0, LABELS, 100):
        api.post("/feedback/batch", {"labels": labels[start : start + 100], "model_name": table})
    api.wait(f"/drift/status?model_name={table}", until=lambda found: found["current"]["samples"] >= 300 + LABELS)
    api.wait(f"/performance/status?model_name={table}", until=lambda found: found["versions"][0]["labels"] >= LABELS)


def make_many(api: Api, mlflow: Tracking, jobs_table: str, name: str) -> None:
    """A model with a version in Production and `MANY_VERSIONS` more, and `MANY_JOBS` jobs that have ended.

    The jobs are records of the stack's own table. They come before the first job that the API makes, so that other
    tests find theirs at the top of lists.
    """
    job = train(api, model_name=name, experiment_name=name, epochs=1)
    assert promote(api, job["model_version"], model=name)["status"] == "succeeded"
    for _ in range(MANY_VERSIONS):
        mlflow._post("model-versions/create", {"name": name, "source": "s3://somewhere/mlflow/m"})
    jobs = JobsTable(DynamoTable(boto3.resource("dynamodb").Table(jobs_table)))
    for number in range(MANY_JOBS):
        failed = number % 50 == 0
        jobs.create(
            Job(
                f"job_000000{number:04}",
                experiment_name=name,
                model_name=name,
                status=JobStatus.FAILED if failed else JobStatus.COMPLETED,
                error="there is no such object" if failed else None,
                metrics={} if failed else {"val_accuracy": 0.9},
                epoch=10,
                epochs=10,
                actor="nobody",
                started_at="2026-01-01T00:00:00Z",
                completed_at="2026-01-01T00:05:00Z",
            )
        )
