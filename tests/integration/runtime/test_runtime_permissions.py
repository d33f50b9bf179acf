"""IAM policies against what is asked of AWS: all that is called is granted, and all that is granted is called.

The functions, the trainer and the tracking server of the stack are led through recording proxies while the API is
walked once through all that it can do, failures among it; the migration's function is called in this process. What is
compared are the roles of a deployment to AWS.
"""

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import urllib3
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from infra.local import deploy
from infra.local.api import Api
from infra.local.database import Database
from infra.local.services import tracking_service
from infra.local.settings import STACK_NAME
from migration import app as migration
from tests.integration.runtime import grants
from tests.integration.runtime.grants import Grant
from tests.integration.runtime.recording import (
    Call,
    Logins,
    Read,
    Recorder,
    aws_calls,
    signed_tracking_calls,
    tracking_calls,
)
from tests.support.keys import make_key
from tests.support.steps import ENDED, free_ports, promote, train
from tests.support.waiting import wait_for_server

pytestmark = pytest.mark.slow
MODEL = "permissions"
# Before the first job that the API makes, so other tests find their own jobs at the top of lists.
LOST_JOB, HALF_MOVED_JOB = "job_000000", "job_0000000"

MISSING = "never called: with it S3 answers 404 for what is not there, without it 403"
DESTINATION = "Lambda itself sends there, as the function, an event that failed all its tries"

MLMODEL = b"""flavors:
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: pickle
mlflow_version: 3.0.0
model_uuid: permissions
utc_time_created: '2026-01-01 00:00:00'
"""

WORSE = "of a version that does worse than in training, for which labels have to be of predictions of another day"
REPEATED = "Powertools reads a record that the refused write did not bring along"

# Granted, and not called on this walk: (role, action, resource) to the reason.
NOT_CALLED: dict[tuple[str, str, str], str] = {
    ("DriftFunctionRole", "dynamodb:UpdateItem", "PredictionStatsTable"): "after a retrain, which is off by default",
    ("DriftFunctionRole", "sqs:SendMessage", "MonitoringDeadLetters"): DESTINATION,
    ("MetricsFunctionRole", "sqs:SendMessage", "MonitoringDeadLetters"): DESTINATION,
    ("FeedbackFunctionRole", "sqs:SendMessage", "MonitoringDeadLetters"): DESTINATION,
    ("FeedbackFunctionRole", "sns:Publish", "AlertsTopic"): WORSE,
    ("FeedbackFunctionRole", "events:PutEvents", "event-bus/default"): WORSE,
    ("FeedbackFunctionRole", "dynamodb:UpdateItem", "PredictionStatsTable"): WORSE,
    ("PredictionLogFunctionRole", "sqs:SendMessage", "MonitoringDeadLetters"): DESTINATION,
    ("RolloutFunctionRole", "sqs:SendMessage", "MonitoringDeadLetters"): DESTINATION,
    ("JobEventsFunctionRole", "sqs:SendMessage", "JobEventsDeadLetters"): DESTINATION,
    ("RolloutFunctionRole", "dynamodb:GetItem", "IdempotencyTable"): REPEATED,
    ("RolloutFunctionRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("RolloutFunctionRole", "dynamodb:Query", "TransitionsTable"): (
        "the first entry of a history hashes the transitions before; here transitions have made that entry"
    ),
    ("TrainingFunctionRole", "sqs:SendMessage", "MonitoringDeadLetters"): DESTINATION,
    ("WebhooksFunctionRole", "sqs:SendMessage", "MonitoringDeadLetters"): DESTINATION,
    ("MigrationExecutionRole", "secretsmanager:GetSecretValue", "Database.Outputs.SecretArn"): (
        "ECS reads the password for the container, before it starts"
    ),
    ("ModelsFunctionRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("PortalFunctionRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("PromotionFunctionRole", "s3:ListBucket", "ArtifactBucket"): f"below conversions/ {MISSING}",
    ("PredictFunctionRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("TrainerRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("TrainerRole", "execute-api:Invoke", "TrackingApi/mlflow/GET/api/2.0/mlflow/metrics/get-history"): (
        "a later attempt of a job asks how far the first one has come"
    ),
    ("TrainerRole", "dynamodb:BatchGetItem", "JobsTable"): "sweeps whose runs are compared; the walk has single runs",
    ("TrainingFunctionRole", "dynamodb:GetItem", "IdempotencyTable"): REPEATED,
    ("TransitionsFunctionRole", "dynamodb:GetItem", "IdempotencyTable"): REPEATED,
    ("ImportRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("JobEventsFunctionRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("BatchPredictionsFunctionRole", "dynamodb:GetItem", "IdempotencyTable"): REPEATED,
    ("BatchPredictionsFunctionRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("BatchPredictionsFunctionRole", "s3:PutObject", "ArtifactBucket/datasets/uploads/*"): (
        "it signs the address that a caller uploads to"
    ),
}


@dataclass
class Recording:
    """The stack with a proxy between each role and what it talks to."""

    settings: Any
    endpoint: str
    logical: dict[str, str]
    recorders: dict[str, list[Recorder]] = field(default_factory=dict)
    running: ExitStack = field(default_factory=ExitStack)

    def aws(self, role: str, logical: dict[str, str] | None = None) -> str:
        """The address of AWS for a role."""
        return self._started(role, self.endpoint, partial(aws_calls, logical=logical or self.logical))

    def tracking(self, role: str, read: Read) -> str:
        """The address of the tracking server for a role."""
        return self._started(role, self.settings.tracking_url, read)

    def calls(self, role: str) -> set[Call]:
        return {call for recorder in self.recorders.get(role, []) for call in recorder.calls}

    def refuse(self, role: str, *actions: str) -> None:
        for recorder in self.recorders[role]:
            recorder.refused = set(actions)

    def _started(self, role: str, endpoint: str, read: Read) -> str:
        recorder = Recorder(endpoint, read)
        self.recorders.setdefault(role, []).append(recorder)
        address = recorder.start()
        self.running.callback(recorder.stop)
        return address


@pytest.fixture(scope="module")
def granted() -> list[Grant]:
    return grants.on_aws()


@pytest.fixture(scope="module")
def called(stack: Any, api: Api, outputs: dict[str, str], held_out: Any, production_model: Any) -> dict[str, set[Call]]:
    """By role, what it asked for on the walk."""
    client = partial(deploy.client, stack.settings)
    physical = deploy.physical_ids(stack.settings)
    logical = {each: name for name, each in physical.items()} | {"/aws/batch/job": "TrainingJobLogs"}
    recording = Recording(stack.settings, stack.env["AWS_ENDPOINT_URL"], logical)
    with recording.running, _socket_folder() as folder:
        logins = Logins(Path(Database(stack.settings).address().host), folder)
        recording.running.callback(logins.stop)
        with _recorded(recording, client, physical, str(folder)):
            walk = Walk(api, client, physical, outputs, recording, held_out[0])
            job = walk.train()
            walk.registry()
            walk.rollouts()
            walk.governance(Api(stack.api_url, make_key(stack.env, "approver", "approve", owner="somebody else")))
            walk.conversions(recording.settings.tracking_url)
            walk.batch_predictions()
            walk.predictions()
            walk.webhooks()
            walk.mishaps()
            walk.settle()
        as_whom = {call.resource.rpartition("/")[2]: call for call in logins.calls}
        _ask_tracking(recording, stack, outputs["ArtifactBucketName"], folder, job["run_id"])
        _migrate(recording, client, physical, stack.env)
    found = {f"{name}Role": recording.calls(f"{name}Role") for name in physical if name.endswith("Function")}
    others = (
        "TrainerRole",
        "ConversionRole",
        "ImportRole",
        "ScoringRole",
        "TrackingFunctionRole",
        "MigrationFunctionRole",
    )
    found |= {role: recording.calls(role) for role in others}
    for role in ("ExperimentsFunctionRole", "ModelsFunctionRole"):
        found[role] |= {as_whom["mlops_ro"]}
    found["TrackingFunctionRole"] |= {each for each in logins.calls if each.resource.endswith("/mlflow_rw")}
    return found


def test_the_walk_reaches_every_role(called: dict[str, set[Call]]) -> None:
    assert {role for role, calls in called.items() if not calls} == set()


def test_what_is_called_is_granted(called: dict[str, set[Call]], granted: list[Grant]) -> None:
    missing = [
        (role, call) for role, calls in called.items() for call in calls if not grants.granted(granted, role, call)
    ]
    assert missing == []


def test_what_is_granted_is_called(called: dict[str, set[Call]], granted: list[Grant]) -> None:
    idle = {
        (each.role, each.action, each.resource)
        for each in granted
        if each.allows and not any(each.covers(call) for call in called.get(each.role, ()))
    }
    surplus, called_now = (sorted(each) for each in (idle - NOT_CALLED.keys(), NOT_CALLED.keys() - idle))
    assert not surplus, "granted, and never called (take it away, or say why it stays): " + _lines(surplus)
    assert not called_now, "no exception any more: " + _lines(called_now)


def _lines(grants: list[tuple[str, str, str]]) -> str:
    return "".join("\n" + " ".join(each) for each in grants)


@contextmanager
def _recorded(
    recording: Recording, client: Callable[[str], Any], physical: dict[str, str], socket: str
) -> Iterator[None]:
    """Lead functions and jobs through the proxies, and back."""
    lambdas, batch = client("lambda"), client("batch")
    functions = {name: physical[name] for name in physical if name.endswith("Function")}
    definition = _recorded_definition(recording, batch, physical, "TrainingJobDefinition", "TrainerRole")
    conversion = _recorded_definition(recording, batch, physical, "ConversionJobDefinition", "ConversionRole")
    scoring = _recorded_definition(recording, batch, physical, "ScoringJobDefinition", "ScoringRole")
    imports = _recorded_definition(recording, batch, physical, "ImportJobDefinition", "ImportRole")
    before = {
        name: lambdas.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        for name, function in functions.items()
    }
    for name, function in functions.items():
        role = f"{name}Role"
        own = {"AWS_ENDPOINT_URL": recording.aws(role), "SAMPLE_SHARE": "1", "JOB_DEFINITION": definition}
        own |= {"CONVERSION_JOB_DEFINITION": conversion, "SCORING_JOB_DEFINITION": scoring}
        own["IMPORT_JOB_DEFINITION"] = imports
        if "MLFLOW_TRACKING_URI" in before[name]:
            own["MLFLOW_TRACKING_URI"] = recording.tracking(role, signed_tracking_calls)
        if "DATABASE_HOST" in before[name]:
            own["DATABASE_HOST"] = socket
        lambdas.update_function_configuration(FunctionName=function, Environment={"Variables": before[name] | own})
    try:
        _publish(lambdas, physical)
        yield
    finally:
        for name, variables in before.items():
            lambdas.update_function_configuration(FunctionName=functions[name], Environment={"Variables": variables})
        _publish(lambdas, physical)
        for each in (definition, conversion, scoring, imports):
            batch.deregister_job_definition(jobDefinition=each)


def _recorded_definition(recording: Recording, batch: Any, physical: dict[str, str], name: str, role: str) -> str:
    """A revision of a job definition whose jobs talk to the proxies of their role; its ARN."""
    present = batch.describe_job_definitions(jobDefinitions=[physical[name]])["jobDefinitions"][0]
    asked = ("jobDefinitionName", "type", "timeout", "retryStrategy", "propagateTags", "platformCapabilities")
    container = present["containerProperties"]
    own = {
        "AWS_ENDPOINT_URL": recording.aws(role),
        "MLFLOW_TRACKING_URI": recording.tracking(role, tracking_calls),
    }
    kept = [each for each in container["environment"] if each["name"] not in own]
    container["environment"] = kept + [{"name": name, "value": value} for name, value in own.items()]
    request = {name: present[name] for name in asked if name in present}
    made = batch.register_job_definition(**request, containerProperties=container)
    arn = str(made["jobDefinitionArn"])
    recording.logical[arn] = name
    return arn


def _publish(lambdas: Any, physical: dict[str, str]) -> None:
    """Predict's alias leads to a version, which keeps the configuration it was published with."""
    version = lambdas.publish_version(FunctionName=physical["PredictFunction"])["Version"]
    lambdas.update_alias(FunctionName=physical["PredictFunction"], Name="live", FunctionVersion=version)


class Walk:
    """Once through all that the platform does, with a model of its own."""

    def __init__(
        self,
        api: Api,
        client: Callable[[str], Any],
        physical: dict[str, str],
        outputs: dict[str, str],
        recording: Recording,
        images: list[list[float]],
    ) -> None:
        self._api, self._client, self._physical, self._outputs = api, client, physical, outputs
        self._recording, self._images = recording, images
        self._bucket = outputs["ArtifactBucketName"]
        self._started = datetime.now(UTC)

    def train(self) -> dict[str, Any]:
        """Runs, a sweep, lists, logs, cancellations; the finished job."""
        api = self._api
        api.get("/ready")
        api.send("GET", "/metrics")
        self._client("s3").put_object(Bucket=self._bucket, Key="datasets/permissions.csv", Body=_csv())
        data = f"s3://{self._bucket}/datasets/permissions.csv"
        again = {"dataset": data, "epochs": 1, "register": False}
        key = {"Idempotency-Key": "permissions"}
        assert api.post("/train", again, key) == api.post("/train", again, key)
        api.send("POST", "/train", {"dataset": "s3://elsewhere/file.csv"}, {"Idempotency-Key": "permissions-refused"})
        job = train(api, epochs=2, learning_rate=0.004, model_name=MODEL, experiment_name=MODEL)
        assert job["status"] == "completed", job["error"]
        api.get(f"/train/jobs/{job['job_id']}/logs")
        api.get("/train/jobs?status=completed&limit=1")
        sweep = api.post("/sweeps", {"num_runs": 2, "epochs": 1, "stage": "Staging", "model_name": MODEL})["sweep_id"]
        ended = api.wait(f"/sweeps/{sweep}", until=lambda each: each["status"] in ENDED)
        api.wait(f"/models/transitions/{ended['transition_id']}", until=lambda each: each["status"] != "queued")
        api.get("/sweeps")
        api.send("DELETE", f"/sweeps/{api.post('/sweeps', {'num_runs': 2, 'epochs': 50})['sweep_id']}")
        api.send("DELETE", f"/train/jobs/{api.post('/train', {'epochs': 90})['job_id']}")
        api.get("/experiments")
        run = f"/experiments/{job['experiment_name']}/runs/{job['run_id']}"
        api.get(run)
        (card,) = api.get(f"{run}/artifacts?path=model_card.md")["artifacts"]
        assert urllib3.request("GET", card["url"]).status == 200
        self._versions = (job["model_version"], ended["model_version"])
        return job

    def registry(self) -> None:
        """Transitions, a rollback, the history."""
        api, (first, second) = self._api, self._versions
        for version in (first, second):
            moved = promote(api, version, "Production", model=MODEL, reason="permissions", force=True)
            assert moved["status"] == "succeeded", moved
        api.post(f"/models/{MODEL}/rollback?wait=20", {"reason": "permissions"})
        wish = {"model_name": MODEL, "version": second, "stage": "Staging", "reason": "permissions"}
        moved = api.post("/models/transition", wish, {"Idempotency-Key": "permissions"})
        api.wait(f"/models/transitions/{moved['transition_id']}", until=lambda each: each["status"] != "queued")
        nobody = {**wish, "model_name": "nobody"}
        assert api.send("POST", "/models/transition", nobody, {"Idempotency-Key": "permissions-refused"}).status == 404
        api.get("/models")
        api.get(f"/models/{MODEL}")
        api.get(f"/models/{MODEL}/history")

    def governance(self, approver: Api) -> None:
        """Settings, a transition that waits and is approved by somebody else, the verified history, its export."""
        api, (first, second) = self._api, self._versions
        api.get("/me")
        by_hand = {name: {"S": value} for name, value in (("key_id", "by-hand"), ("name", "eve"), ("role", "read"))}
        self._client("dynamodb").put_item(TableName=self._outputs["AccessKeysTableName"], Item=by_hand)
        settings = {"approvals": {"Production": 1}, "gate": {"min_live_accuracy": 0.5}}
        change = {"expected_version": 0, "settings": settings, "reason": "permissions"}
        assert api.send("PUT", f"/models/{MODEL}/settings", change).status == 200
        assert api.get(f"/models/{MODEL}/settings")["version"] == 1
        waiting = promote(api, second, model=MODEL, reason="permissions", force=True)
        assert waiting["status"] == "awaiting_approval", waiting
        route = f"/models/transitions/{waiting['transition_id']}"
        assert approver.post(f"{route}/approve?wait=20", {})["status"] == "succeeded"
        # What follows waits for nobody, and the check of labels looks for a retrain that is not sent.
        change |= {"expected_version": 1, "settings": {"retrain": {"on_performance": True}}}
        assert api.send("PUT", f"/models/{MODEL}/settings", change).status == 200
        assert promote(api, first, "Staging", model=MODEL, reason="permissions")["status"] == "succeeded"
        assert api.get(f"{route}/export")["verification"]["valid"]
        assert api.get(f"/models/{MODEL}/history?verify=true")["verification"]["valid"]

    def rollouts(self) -> None:
        """One that is aborted, one that another transition ends, and one that goes to Production."""
        api, (first, second) = self._api, self._versions
        route, force = f"/models/{MODEL}/rollouts", {"reason": "permissions", "force": True}
        # The first one is the better one, so that the gate of the last step takes it.
        assert promote(api, second, "Production", MODEL, **force)["status"] == "succeeded"
        assert promote(api, first, "Staging", MODEL)["status"] == "succeeded"
        plan = {"version": first, "steps": [{"weight": 100, "minutes": 60}], "shadow_minutes": 0}
        aborted = api.post(route, plan, {"Idempotency-Key": "permissions"})["rollout_id"]
        assert api.send("POST", route, plan, {"Idempotency-Key": "permissions-refused"}).status == 409
        for action in ("pause", "resume", "abort"):
            api.post(f"{route}/{aborted}/{action}", {})
        ended = api.post(route, plan)["rollout_id"]
        assert promote(api, first, "Archived", MODEL)["status"] == "succeeded"
        assert api.get(f"{route}/{ended}")["status"] == "aborted"
        assert promote(api, first, "Staging", MODEL)["status"] == "succeeded"
        completed = api.post(route, plan)["rollout_id"]
        api.post(f"{route}/{completed}/complete", {})
        deadline = time.monotonic() + 60
        while api.get(f"{route}/{completed}")["status"] == "promoting":
            assert time.monotonic() < deadline
            self._invoke("RolloutFunction", {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
        assert [entry["status"] for entry in api.get(route)["rollouts"]] == ["succeeded", "aborted", "aborted"]
        assert promote(api, second, "Staging", MODEL)["status"] == "succeeded"

    def conversions(self, tracking_url: str) -> None:
        """Versions that were logged with plain MLflow: one converted by route, one by a transition."""
        api, name = self._api, f"{MODEL}-converted"
        tracking = Api(f"{tracking_url}/api/2.0/mlflow", None)
        tracking.post("/registered-models/create", {"name": name})
        digits = load_digits()
        model = LogisticRegression(max_iter=50).fit(digits.data, digits.target)
        for version in (1, 2):
            folder = f"mlflow/permissions/{version}"
            files = {"MLmodel": MLMODEL, "model.pkl": pickle.dumps(model)}
            for file, data in files.items():
                self._client("s3").put_object(Bucket=self._bucket, Key=f"{folder}/{file}", Body=data)
            tracking.post("/model-versions/create", {"name": name, "source": f"s3://{self._bucket}/{folder}"})
        route = f"/models/{name}/versions/1/conversion"
        api.post(route, {})
        done = api.wait(route, until=lambda each: each["status"] != "running", seconds=180)
        assert done["status"] == "succeeded", done
        for version in (1, 2):
            moved = promote(api, version, "Production", model=name, reason="permissions", force=True)
            assert moved["status"] == "succeeded", moved

    def batch_predictions(self) -> None:
        """One that is done, one that is cancelled, one that Batch refuses, and one that nobody has submitted."""
        api, name = self._api, f"{MODEL}-table"
        rows = "".join(f"{number * 37 % 100},{'left' if number % 3 else 'stayed'}\n" for number in range(300))
        address = f"s3://{self._bucket}/datasets/permissions/table.csv"
        self._client("s3").put_object(
            Bucket=self._bucket, Key="datasets/permissions/table.csv", Body=f"visits,label\n{rows}".encode()
        )
        job = train(api, dataset=address, model_type="linear", model_name=name, experiment_name=MODEL)
        assert job["status"] == "completed", job["error"]
        assert promote(api, job["model_version"], model=name, reason="permissions")["status"] == "succeeded"
        asked = {"model_name": name, "input": f"s3://{self._bucket}/datasets/permissions/", "keep": ["label"]}

        def start(folder: str, key: str | None = None) -> Any:
            body = {**asked, "output": f"s3://{self._bucket}/scored/permissions/{folder}/"}
            return api.send("POST", "/batch-predictions", body, {"Idempotency-Key": key} if key else None)

        first = start("done", "permissions").json
        assert start("done", "permissions").json == first
        assert start("done", "permissions-refused").status == 422
        again = {**asked, "input": f"s3://{self._bucket}/scored/permissions/done/", "keep": []}
        route = f"/batch-predictions/{first['batch_id']}"
        done = api.wait(route, until=lambda each: each["status"] in ENDED)
        assert done["status"] == "completed", done
        # Answers are no rows of this model, which the job says.
        body = {**again, "output": f"s3://{self._bucket}/scored/permissions/again/"}
        second = api.post("/batch-predictions", body)["batch_id"]
        api.wait(f"/batch-predictions/{second}", until=lambda each: each["status"] == "failed")
        api.get(f"{route}/files")
        api.get("/batch-predictions")
        api.get(f"/models/{name}/file")
        api.post("/batch-predictions/uploads", {"name": "x.csv", "sha256": 64 * "0", "size": 1})
        cancelled = start("cancelled").json["batch_id"]
        api.send("DELETE", f"/batch-predictions/{cancelled}")
        api.wait(f"/batch-predictions/{cancelled}", until=lambda each: each["status"] in ENDED)
        self._recording.refuse("BatchPredictionsFunctionRole", "batch:SubmitJob")
        assert start("refused").status == 503
        self._recording.refuse("BatchPredictionsFunctionRole")
        self._lose_a_batch_prediction()

    def _lose_a_batch_prediction(self) -> None:
        """A record of an hour ago, whose job was submitted, but not recorded, and of whose end nobody heard."""
        batch_id = "batch_" + 20 * "0"
        job = self._client("batch").submit_job(
            jobName=batch_id,
            jobQueue=self._physical["ScoringQueue"],
            jobDefinition=self._physical["ScoringJobDefinition"],
            # It has no plan, so it fails at once.
            containerOverrides={"environment": [{"name": "BATCH_PREDICTION_ID", "value": batch_id}]},
        )
        self._wait_until_ended(job["jobId"])
        hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="milliseconds")
        texts = {
            "batch_id": batch_id,
            "part": "record",
            "kind": "batch",
            "open": "1",
            "status": "pending",
            "model_name": MODEL,
            "sha256": 64 * "0",
            "actor": "permissions",
            "created_at": hour_ago,
        }
        numbers = {"model_version": "1", "shards": "1", "input_files": "1", "input_bytes": "1"}
        request = {"input": {"S": "s3://x/y"}, "output": {"S": "s3://x/z/"}, "max_rejected": {"N": "0.01"}}
        item = {name: {"S": value} for name, value in texts.items()} | {
            **{name: {"N": value} for name, value in numbers.items()},
            "request": {"M": request},
        }
        self._client("dynamodb").put_item(TableName=self._physical["BatchPredictionsTable"], Item=item)

    def predictions(self) -> None:
        """Enough of them, and of a kind that is drift; the checks and the numbers that follow."""
        api = self._api
        inverted = [[round(1 - pixel, 4) for pixel in image] for image in self._images[:240]]
        api.post("/predict", {"image": inverted[0], "model_name": MODEL})
        for start in range(0, len(inverted), 80):
            api.post("/predict/batch", {"images": inverted[start : start + 80], "model_name": MODEL})
        self._labels()
        api.get(f"/models/{MODEL}/contract")
        api.post(f"/models/{MODEL}/invocations", {"instances": inverted[:1]})
        api.get(f"/v2/models/{MODEL}")
        api.send("DELETE", f"/predict/cache?model_name={MODEL}")
        status = f"/drift/status?model_name={MODEL}"
        found = api.wait(status, until=lambda each: each["current"]["samples"] >= len(inverted))
        assert found["status"] == "alert", found
        for path in ("stats", "distribution"):
            api.get(f"/drift/{path}?hours=24&model_name={MODEL}")
        for name in ("DriftFunction", "FeedbackFunction", "MetricsFunction"):
            self._invoke(name, {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
        retrain = {"model_name": MODEL, "num_runs": 1, "reason": "permissions"}
        self._invoke("TrainingFunction", {"id": "permissions", "detail": retrain})
        self._invoke("TrainingFunction", {"detail": {"models": MODEL, "reason": "permissions"}})

    def _labels(self) -> None:
        """Labels right after their predictions, whose lines are still on their way, and one that is changed."""
        api = self._api
        image = {"image": self._images[0], "model_name": MODEL}
        for _ in range(10):
            label = {"prediction_id": api.post("/predict", image)["prediction_id"], "label": 1, "model_name": MODEL}
            api.post("/feedback", label)
        status = f"/performance/status?model_name={MODEL}"
        api.wait(status, until=lambda answer: answer["waiting"] == 0 and answer["versions"][0]["labels"] == 10)
        api.post("/feedback", {**label, "label": 2, "replace": True})
        # A label after its prediction's line. No route says when that is there, so each try has a new prediction.
        for seconds in range(1, 12):
            late = {**label, "prediction_id": api.post("/predict", image)["prediction_id"]}
            time.sleep(seconds)
            if api.post("/feedback", late)["status"] == "counted":
                break
        else:
            pytest.fail("no line of a prediction came within 11 s")
        api.get(f"/performance/history?model_name={MODEL}")
        self._import_labels(label["prediction_id"])

    def _import_labels(self, known: str) -> None:
        """Labels of which one waits and one is refused, and answers, whose ids are not predict's."""
        api = self._api
        rows = f"prediction_id,id,label\n{known},,2\n,waits,1\n,,1\n"
        self._client("s3").put_object(Bucket=self._bucket, Key="datasets/permissions/labels.csv", Body=rows.encode())
        scored = f"s3://{self._bucket}/scored/permissions/done/"
        asked = {"model_name": MODEL, "input": f"s3://{self._bucket}/datasets/permissions/labels.csv"}
        first, second = (
            api.post("/feedback/imports", {**asked, **more})["import_id"] for more in ({}, {"input": scored})
        )
        api.get("/feedback/imports")
        self._client("dynamodb").update_item(
            TableName=self._physical["FeedbackTable"],
            Key={"series": {"S": "imports"}, "slot": {"S": second}},
            UpdateExpression="REMOVE batch_job_id",
        )
        foreign = api.wait(f"/feedback/imports/{second}", until=lambda each: each["status"] in ENDED)
        assert foreign["counts"] == {"refused": 300}, foreign
        done = api.wait(f"/feedback/imports/{first}", until=lambda each: each["status"] in ENDED)
        assert done["counts"] == {"unchanged": 1, "waiting": 1, "refused": 1}, done
        with urlopen(done["refused_url"]) as refused:
            assert b"exactly one of prediction_id and id" in refused.read()

    def webhooks(self) -> None:
        """One that is made, tried, given new secrets, and deleted. Its receiver cannot be reached."""
        api, wanted = self._api, {"url": "https://hooks.invalid.example/permissions", "events": ["job.failed"]}
        route = f"/webhooks/{api.post('/webhooks', wanted)['webhook_id']}"
        api.get("/webhooks")
        api.post(f"{route}/test")
        api.wait(route, until=lambda each: any(one["error"] for one in each["deliveries"]), seconds=120)
        for _ in range(2):
            api.post(f"{route}/secret")
        assert api.send("DELETE", route).status == 200

    def mishaps(self) -> None:
        """What went wrong on the way, and is put right."""
        api = self._api
        self._recording.refuse("TrainingFunctionRole", "batch:SubmitJob")
        assert api.send("POST", "/train", {"epochs": 1}).status == 503
        self._recording.refuse("TrainingFunctionRole")
        self._client("s3").delete_object(Bucket=self._bucket, Key=f"serving/{MODEL}/Staging.json")
        self._lose_a_message()
        self._lose_jobs()
        self._invoke("ReconcileFunction", {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
        record = {"body": "{}", "receiptHandle": "unknown", "attributes": {"ApproximateReceiveCount": "1"}}
        self._invoke("PromotionFunction", {"Records": [record]})

    def settle(self) -> None:
        """Until nothing is on its way any more, as what comes later is not recorded."""
        for kind in ("pending", "running"):
            self._api.wait(f"/train/jobs?status={kind}&limit=1", until=lambda each: each["total_count"] == 0)
        mended = f"/models/{MODEL}/history"
        self._api.wait(mended, until=lambda each: any(one["kind"] == "mend" for one in each["transitions"]), seconds=30)
        time.sleep(2)  # log lines and events of the last steps

    def _lose_a_message(self) -> None:
        """A transition that was recorded an hour ago and never queued."""
        hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="milliseconds")
        values = {
            "model_name": f"{MODEL}-lost",
            "transition_id": "tr_0",
            "kind": "transition",
            "stage": "Staging",
            "reason": "permissions",
            "actor": "permissions",
            "status": "queued",
            "open": "1",
            "created_at": hour_ago,
        }
        item = {name: {"S": value} for name, value in values.items()} | {
            "version": {"N": "1"},
            "force": {"BOOL": False},
        }
        self._client("dynamodb").put_item(TableName=self._outputs["TransitionsTableName"], Item=item)

    def _lose_jobs(self) -> None:
        """A job whose end nobody heard of, and one that died on its way to the on-demand queue."""
        batch, hour_ago = self._client("batch"), (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        ids = {
            name: batch.submit_job(
                jobName=name,
                jobQueue=self._physical["SpotQueue"],
                jobDefinition=self._physical["TrainingJobDefinition"],
                # Refused by the trainer at once, as it is no number.
                containerOverrides={"environment": [{"name": "TRAIN_EPOCHS", "value": "none"}]},
            )["jobId"]
            for name in (LOST_JOB, HALF_MOVED_JOB)
        }
        common = {"kind": "job", "status": "pending", "created_at": hour_ago}
        jobs = {
            LOST_JOB: common,
            HALF_MOVED_JOB: {**common, "batch_job_id": ids[HALF_MOVED_JOB], "moved_from": ids[HALF_MOVED_JOB]},
        }
        for name, values in sorted(jobs.items()):
            if name == LOST_JOB:
                self._wait_until_ended(ids[name])
            item = {key: {"S": value} for key, value in {"job_id": name, **values}.items()} | {
                "status_order": {"N": "0"},
                "attempt": {"N": "0"},
                "request": {"M": {}},
            }
            self._client("dynamodb").put_item(TableName=self._outputs["JobsTableName"], Item=item)

    def _wait_until_ended(self, batch_job_id: str) -> None:
        """Until Batch has sent its last event of the job, which changes nothing while there is no record of it."""
        deadline = time.monotonic() + 120
        while self._client("batch").describe_jobs(jobs=[batch_job_id])["jobs"][0]["status"] != "FAILED":
            assert time.monotonic() < deadline, "the job does not end"
            time.sleep(0.5)
        time.sleep(2)

    def _invoke(self, name: str, event: Any) -> None:
        self._client("lambda").invoke(FunctionName=self._physical[name], Payload=json.dumps(event).encode())


def _ask_tracking(recording: Recording, stack: Any, bucket: str, folder: Path, run_id: str) -> None:
    """The tracking server with proxies of its own: a search, and what its UI shows of a run's files."""
    service = tracking_service(stack.settings, Database(stack.settings), bucket)
    (port,) = free_ports(1)
    environment = {**os.environ, **service.environment(), "AWS_ENDPOINT_URL": recording.aws("TrackingFunctionRole")}
    environment["DATABASE_HOST"] = str(folder)
    command = [*service.command[: service.command.index("--port")], "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, *command[1:]],
        cwd=service.cwd,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        tracking = Api(f"http://127.0.0.1:{port}", None)
        wait_for_server(process, f"http://127.0.0.1:{port}/health", 60)
        tracking.post("/api/2.0/mlflow/experiments/search", {"max_results": 1})
        (first, *_) = [
            each
            for each in tracking.get(f"/api/2.0/mlflow/artifacts/list?run_id={run_id}")["files"]
            if not each["is_dir"]
        ]
        with urlopen(f"http://127.0.0.1:{port}/get-artifact?run_uuid={run_id}&path={first['path']}", timeout=120):
            pass
    finally:
        process.terminate()
        process.wait(20)


def _migrate(
    recording: Recording, client: Callable[[str], Any], physical: dict[str, str], env: Mapping[str, str]
) -> None:
    """Custom::Migration's function in this process, with a job that does nothing; once without the time to wait."""
    batch = client("batch")
    queue = batch.create_job_queue(
        jobQueueName="permissions-migration",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": physical["SpotEnvironment"]}],
    )["jobQueueArn"]
    definition = batch.register_job_definition(
        jobDefinitionName="permissions-migration", type="container", containerProperties={"command": ["true"]}
    )["jobDefinitionArn"]
    stack_id = client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]["StackId"]
    logical = {queue: "MigrationQueue", definition: "MigrationJobDefinition", stack_id: "AWS::StackId"}
    properties = {"JobQueue": queue, "JobDefinition": definition}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": recording.aws("MigrationFunctionRole", logical),
            "AWS_ACCESS_KEY_ID": env["AWS_ACCESS_KEY_ID"],
            "AWS_SECRET_ACCESS_KEY": env["AWS_SECRET_ACCESS_KEY"],
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        patch.setattr(migration, "POLL_SECONDS", 0.1)
        assert migration.rolling_back(stack_id) is False
        migration.migrate(properties, Remaining(60))
        with pytest.raises(migration.MigrationFailed, match="in time"):
            migration.migrate(properties, Remaining(0))


class Remaining:
    """Lambda's context: how much time is left."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> float:
        return self._seconds * 1000


@contextmanager
def _socket_folder() -> Iterator[Path]:
    """Not pytest's own folder: the path of a socket may have some 100 characters at most."""
    with tempfile.TemporaryDirectory(prefix="mlops-logins-") as folder:
        yield Path(folder)


def _csv() -> bytes:
    digits = load_digits()
    names = [f"x{index}" for index in range(digits.data.shape[1])]
    lines = [",".join([*names, "label"])]
    lines += [
        ",".join([*(str(int(x)) for x in row), str(int(label))])
        for row, label in zip(digits.data[:300], digits.target[:300], strict=True)
    ]
    return "\n".join(lines).encode()
