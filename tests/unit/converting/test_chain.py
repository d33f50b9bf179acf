"""From a plain MLflow model to what serves: promotion, the job, its event and promotion again, on moto's AWS.

MLflow's registry and AWS Batch are in memory; the files are in S3, the records in DynamoDB, the messages in SQS.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest

from conversion.job import JobSettings, run
from infra.local.settings import ROOT
from job_events.conversion_end import ConversionEnds
from mlops.aws.conversion_jobs import ConversionJobs
from mlops.aws.conversion_results import ConversionResults
from mlops.aws.conversions_table import ConversionsTable
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.open_rollouts import OpenRollouts
from mlops.aws.promotion_queue import PromotionQueue, read_message, request_transition
from mlops.aws.rollout_files import RolloutFiles
from mlops.aws.rollouts_table import RolloutsTable
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.manifest import Manifest
from mlops.domain.stages import Stage
from mlops.domain.transition import Transition, new_transition_id
from mlops.inference.model import load
from promotion.archive_tags import ArchiveTags
from promotion.dependencies import Dependencies
from promotion.examination import examine
from promotion.gate import GateSettings
from promotion.promoter import Promoter
from promotion.serving_store import ServingStore
from tests.support.crashes import Effects
from tests.support.governance import FakeHistory
from tests.support.tables import make_table
from tests.unit.registry.fakes import MODEL, FakeEvents, FakeLabels, FakeTracking

BUCKET = "bucket"


@dataclass
class Batch:
    """Jobs by their names, with their variables; `carry_out` does what the container would."""

    jobs: dict[str, dict[str, str]] = field(default_factory=dict)

    def submit(self, name: str, environment: dict[str, str]) -> str:
        self.jobs[name] = environment
        return f"batch-{name}"

    def carry_out(self) -> Any:
        """Do the only job, and return its event."""
        ((name, variables),) = self.jobs.items()
        asked = {key: variables[key] for key in ("MODEL_NAME", "MODEL_FOLDER")}
        run(JobSettings(BUCKET, name, asked["MODEL_NAME"], int(variables["MODEL_VERSION"]), asked["MODEL_FOLDER"]))
        environment = [{"name": key, "value": value} for key, value in variables.items()]
        container = {"environment": environment}
        return {
            "jobId": f"batch-{name}",
            "jobName": name,
            "jobQueue": "q",
            "status": "SUCCEEDED",
            "container": container,
        }


@pytest.mark.slow
def test_a_plain_model_comes_to_production(aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow
    from sklearn.datasets import load_wine
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    packages = [str(ROOT / folder) for folder in ("layers/core/python", "training_container", "client")]
    monkeypatch.setenv("PYTHONPATH", ":".join(packages))
    s3, sqs = boto3.client("s3"), boto3.client("sqs")
    s3.create_bucket(Bucket=BUCKET)
    url = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    queue = PromotionQueue(url)
    transitions = TransitionsTable(DynamoTable(make_table("TransitionsTable", "transitions")))
    conversions = ConversionsTable(DynamoTable(make_table("ConversionsTable", "conversions")))
    batch, tracking, store = Batch(), FakeTracking(Effects()), ServingStore(BUCKET)
    dependencies: Any = Dependencies(
        tracking,  # type: ignore[arg-type]
        transitions,
        store,
        ArchiveTags(BUCKET),
        GateSettings(max_latency_ms=1e6),
        ConversionJobs(conversions, batch),  # type: ignore[arg-type]
        OpenRollouts(RolloutsTable(DynamoTable(make_table("RolloutsTable", "rollouts"))), RolloutFiles(BUCKET)),
        FakeHistory(),  # type: ignore[arg-type]
        FakeLabels(),  # type: ignore[arg-type]
        examine,
    )
    promoter = Promoter(dependencies, FakeEvents(Effects()))  # type: ignore[arg-type]

    def deliver() -> None:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            promoter.handle(read_message(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    wine = load_wine(as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(wine.data, wine.target)
    mlflow.sklearn.save_model(model, str(tmp_path / "model"), pip_requirements=["scikit-learn"])
    version = tracking.add_version()
    for path in (tmp_path / "model").iterdir():
        s3.upload_file(str(path), BUCKET, f"mlflow/{version}/{path.name}")

    asked = Transition(new_transition_id(), MODEL, version, Stage.PRODUCTION, "ann")
    request_transition(transitions, queue, asked)
    deliver()
    assert transitions.get(MODEL, asked.transition_id).status == "converting"

    ends = ConversionEnds(conversions, ConversionResults(BUCKET), queue)
    event = batch.carry_out()
    assert ends.follow(event)
    ended = conversions.get(MODEL, version)
    assert ended is not None
    assert (ended.status, ended.error) == ("succeeded", None)
    deliver()
    moved = transitions.get(MODEL, asked.transition_id)
    assert (moved.status, moved.error) == ("succeeded", None)
    assert {gate.check: gate.passed for gate in moved.gates}["proof"]
    assert "rows are answered otherwise than by the original" in json.dumps([gate.detail for gate in moved.gates])
    stored = s3.get_object(Bucket=BUCKET, Key=f"serving/{MODEL}/Production.json")["Body"].read()
    manifest = Manifest.from_json(stored)
    # The job made the rows up, so nothing of production is compared with them.
    assert (manifest.reference, manifest.column_reference) == (None, None)
    assert tracking.aliases == {"production": version}

    manifest = store.manifest(MODEL, Stage.PRODUCTION)
    file = store.published(MODEL, str(moved.sha256))
    assert manifest is not None
    assert file is not None
    answers = np.asarray(load(manifest, file).outputs({"numbers": wine.data.to_numpy(np.float32)}))
    np.testing.assert_allclose(answers, model.predict_proba(wine.data), atol=1e-4)
