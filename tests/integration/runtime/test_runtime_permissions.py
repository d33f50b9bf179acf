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
from mlops.aws.stats_table import hour_of
from mlops.domain.feedback.own_id import hashed
from mlops_client import Client, pushing
from mlops_client.errors import MlopsError
from mlops_client.models import PushState
from mlops_client.operator.backups.database import DatabaseCopies
from mlops_client.operator.backups.stack import StackResources
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
from tests.support.oidc_issuer import AUDIENCE, Issuer, issuing
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
    ("MigrationFunctionRole", "logs:AssociateKmsKey", "log-group:/aws/rds/instance/Database.Outputs.Name/*"): (
        "of a stack with KmsKeyArn"
    ),
    ("MigrationExecutionRole", "secretsmanager:GetSecretValue", "Database.Outputs.SecretArn"): (
        "ECS reads the password for the container, before it starts"
    ),
    ("ModelsFunctionRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("DeletionsFunctionRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("CleanupFunctionRole", "s3:ListBucket", "ArtifactBucket"): f"below serving/ {MISSING}",
    ("CleanupFunctionRole", "sqs:SendMessage", "MonitoringDeadLetters"): DESTINATION,
    ("PortalFunctionRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("SessionsFunctionRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("PromotionFunctionRole", "s3:ListBucket", "ArtifactBucket"): f"below conversions/ {MISSING}",
    ("PredictFunctionRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("TrainerRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("TrainerRole", "execute-api:Invoke", "TrackingApi/mlflow/GET/api/2.0/mlflow/metrics/get-history"): (
        "a later attempt of a job asks how far the first one has come"
    ),
    ("TrainerRole", "dynamodb:BatchGetItem", "JobsTable"): "sweeps whose runs are compared; the walk has single runs",
    ("TrainingFunctionRole", "dynamodb:GetItem", "IdempotencyTable"): REPEATED,
    ("TransitionsFunctionRole", "dynamodb:GetItem", "IdempotencyTable"): REPEATED,
    ("PushesFunctionRole", "dynamodb:GetItem", "IdempotencyTable"): REPEATED,
    ("PushesFunctionRole", "dynamodb:DeleteItem", "IdempotencyTable"): "after a registration that failed",
    ("ImportRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("JobEventsFunctionRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("BatchPredictionsFunctionRole", "dynamodb:GetItem", "IdempotencyTable"): REPEATED,
    ("BatchPredictionsFunctionRole", "s3:ListBucket", "ArtifactBucket"): MISSING,
    ("BatchPredictionsFunctionRole", "s3:PutObject", "ArtifactBucket/datasets/uploads/*"): (
        "it signs the address that a caller uploads to"
    ),
}

# Their schedules look at each model of the stack, so what other tests leave there can have them call what is above.
OF_EACH_MODEL = {"DriftFunctionRole", "FeedbackFunctionRole", "RolloutFunctionRole", "CleanupFunctionRole"}


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
def called(
    stack: Any,
    api: Api,
    outputs: dict[str, str],
    held_out: Any,
    production_model: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, set[Call]]:
    """By role, what it asked for on the walk."""
    client = partial(deploy.client, stack.settings)
    physical = deploy.physical_ids(stack.settings)
    logical = {each: name for name, each in physical.items()} | {"/aws/batch/job": "TrainingJobLogs"}
    recording = Recording(stack.settings, stack.env["AWS_ENDPOINT_URL"], logical)
    with recording.running, _socket_folder() as folder, issuing(tmp_path_factory.mktemp("issuer")) as issuer:
        logins = Logins(Path(Database(stack.settings).address().host), folder)
        recording.running.callback(logins.stop)
        with _recorded(recording, client, physical, str(folder), issuer):
            walk = Walk(api, client, physical, outputs, recording, held_out[0])
            job = walk.train()
            walk.registry()
            walk.rollouts()
            walk.governance(Api(stack.api_url, make_key(stack.env, "approver", "approve", owner="somebody else")))
            walk.conversions(recording.settings.tracking_url)
            walk.batch_predictions()
            walk.predictions()
            walk.webhooks()
            walk.pushes(stack)
            walk.backups(stack)
            walk.sessions(issuer)
            walk.cleanup()
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
        "BackupRole",
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
    surplus = sorted(idle - NOT_CALLED.keys())
    called_now = sorted(each for each in NOT_CALLED.keys() - idle if each[0] not in OF_EACH_MODEL)
    assert not surplus, "granted, and never called (take it away, or say why it stays): " + _lines(surplus)
    assert not called_now, "no exception any more: " + _lines(called_now)


def _lines(grants: list[tuple[str, str, str]]) -> str:
    return "".join("\n" + " ".join(each) for each in grants)


@contextmanager
def _recorded(
    recording: Recording, client: Callable[[str], Any], physical: dict[str, str], socket: str, issuer: Issuer
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
        if "OIDC_ISSUER" in before[name]:
            own |= {"OIDC_ISSUER": issuer.issuer, "OIDC_AUDIENCE": AUDIENCE, "OIDC_GROUPS": "data-science=read"}
            own["SSL_CERT_FILE"] = str(issuer.authority)
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


class OtherModel(Client):
    """Registers what is pushed to it as a model of another name."""

    def receive_push(self, model_name: str, push: dict[str, Any]) -> PushState:
        return super().receive_push(f"{model_name}-pushed", push)


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
        api.get("/datasets")
        assert api.send("PATCH", run, {"tags": {"a": "b"}, "note": "permissions"}).status == 200
        assert api.send("PATCH", run, {"tags": {"a": None}}).status == 200
        api.get(f"{run}/artifacts/content?path=model_card.md")
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
        assert promote(api, first, "Staging", model=MODEL, reason="permissions")["status"] == "succeeded"
        self._approved_rollout(approver)
        assert api.get(f"{route}/export")["verification"]["valid"]
        assert api.get(f"/models/{MODEL}/history?verify=true")["verification"]["valid"]

    def _approved_rollout(self, approver: Api) -> None:
        """A rollout that waits, is approved, begins and is aborted; then what follows waits for nobody."""
        api, (first, _) = self._api, self._versions
        route = f"/models/{MODEL}/rollouts"
        plan = {"version": first, "steps": [{"weight": 100, "minutes": 60}], "shadow_minutes": 0}
        for decision, outcome in (("reject", "rejected"), ("approve", "running")):
            rollout = f"{route}/{api.post(route, plan)['rollout_id']}"
            api.wait(rollout, until=lambda each: each["approval"] is not None)
            approver.post(f"{rollout}/{decision}", {}, {"Idempotency-Key": f"permissions-{decision}"})
            api.wait(rollout, until=lambda each: each["approval"]["status"] in ("rejected", "awaiting_rollout"))
            self._invoke("RolloutFunction", {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
            api.wait(rollout, until=lambda each, wanted=outcome: each["status"] == wanted, seconds=120)
        api.post(f"{rollout}/abort", {})
        # The check of labels looks for a retrain that is not sent.
        change = {"expected_version": 1, "settings": {"retrain": {"on_performance": True}}, "reason": "permissions"}
        assert api.send("PUT", f"/models/{MODEL}/settings", change).status == 200

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
        assert [entry["status"] for entry in api.get(route)["rollouts"]][:3] == ["succeeded", "aborted", "aborted"]
        assert promote(api, second, "Staging", MODEL)["status"] == "succeeded"

    def conversions(self, tracking_url: str) -> None:
        """Versions that were logged with plain MLflow: one converted by route, one by a transition."""
        api, name = self._api, f"{MODEL}-converted"
        tracking = Api(f"{tracking_url}/api/2.0/mlflow", None)
        tracking.post("/registered-models/create", {"name": name})
        digits = load_digits()
        for version in (1, 2):
            model = LogisticRegression(max_iter=50 + version).fit(digits.data, digits.target)
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
        """Labels of which one waits and one is refused, and those of a batch prediction's answers, for two models."""
        api = self._api
        rows = f"prediction_id,id,label\n{known},,2\n,waits,1\n,,1\n"
        self._client("s3").put_object(Bucket=self._bucket, Key="datasets/permissions/labels.csv", Body=rows.encode())
        scored = f"s3://{self._bucket}/scored/permissions/done/"
        asked = {"model_name": MODEL, "input": f"s3://{self._bucket}/datasets/permissions/labels.csv"}
        of_table = {"input": scored, "model_name": f"{MODEL}-table"}
        of_table = {**asked, **of_table}
        first, second, third = (
            api.post("/feedback/imports", {**asked, **more})["import_id"] for more in ({}, {"input": scored}, of_table)
        )
        api.get("/feedback/imports")
        self._client("dynamodb").update_item(
            TableName=self._physical["FeedbackTable"],
            Key={"series": {"S": "imports"}, "slot": {"S": second}},
            UpdateExpression="REMOVE batch_job_id",
        )
        foreign = api.wait(f"/feedback/imports/{second}", until=lambda each: each["status"] in ENDED)
        assert foreign["counts"] == {"refused": 300}, foreign
        own = api.wait(f"/feedback/imports/{third}", until=lambda each: each["status"] in ENDED)
        assert own["counts"] == {"counted": 300}, own
        done = api.wait(f"/feedback/imports/{first}", until=lambda each: each["status"] in ENDED)
        assert done["counts"] == {"unchanged": 1, "waiting": 1, "refused": 1}, done
        with urlopen(done["refused_url"]) as refused:
            assert b"exactly one of prediction_id and id" in refused.read()
        self._forget(known, of_table)

    def _forget(self, known: str, of_table: dict[str, Any]) -> None:
        """What is kept of predictions is deleted, and what comes after that is not kept again."""
        api, name, far = self._api, of_table["model_name"], int(time.time()) + 3600
        batches = api.get("/batch-predictions?limit=100")["batch_predictions"]
        # Other tests have batch predictions of their own in the same stack.
        (batch,) = [each for each in batches if each["output"] == of_table["input"] and each["status"] == "completed"]
        marks = [f"prediction#{hashed(hashed('late'))}", f"samples#{hour_of(time.time())}"]
        for model, slot in ((name, marks[0]), (MODEL, marks[1])):
            times = {"deleted_at": {"N": str(far)}, "expires": {"N": str(far)}}
            item = {"series": {"S": f"deleted#{model}"}, "slot": {"S": slot}, **times}
            self._client("dynamodb").put_item(TableName=self._physical["FeedbackTable"], Item=item)
        api.post("/predict", {"row": {"id": "late", "visits": 1}, "model_name": name})
        api.post("/predict", {"image": self._images[3], "model_name": MODEL})
        for wish in (
            {"model_name": MODEL, "prediction_ids": [known], "ids": ["waits"]},
            {"model_name": name, "prediction_ids": [f"{batch['batch_id']}/0/0"]},
        ):
            answer = api.post("/predictions/delete", {**wish, "reason": "permissions"})
            assert answer["removed"]["labels"], answer
        again = api.post("/feedback/imports", of_table)["import_id"]
        done = api.wait(f"/feedback/imports/{again}", until=lambda each: each["status"] in ENDED)
        assert done["counts"] == {"unchanged": 299, "refused": 1}, done
        route = f"/batch-predictions/{batch['batch_id']}/files"
        assert api.send("DELETE", f"{route}?reason=permissions").status == 200
        assert api.send("GET", route).status == 410

    def pushes(self, stack: Any) -> None:
        """A version that goes to another model of the same stack."""
        source, target = Client(stack.api_url, stack.api_key), OtherModel(stack.api_url, stack.api_key)
        assert pushing.push(source, target, MODEL, self._versions[0]).created

    def backups(self, stack: Any) -> None:
        """The rows of the database: a dump, and a file that is none."""
        definition = _recorded_definition(
            self._recording, self._client("batch"), self._physical, "BackupJobDefinition", "BackupRole"
        )
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
            for name, value in stack.env.items():
                patch.setenv(name, value)
            resources = StackResources.of(STACK_NAME)
            resources.names["BackupJobDefinition"] = definition
            copies = DatabaseCopies(resources)
            assert copies.dump(Path(folder))[1]["runs"] > 0
            key = "backups/permissions/database.tar"
            self._client("s3").put_object(Bucket=self._bucket, Key=key, Body=b"no rows")
            with pytest.raises(MlopsError, match="the database: "):
                copies._run("load", key)
        self._client("batch").deregister_job_definition(jobDefinition=definition)

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

    def sessions(self, issuer: Issuer) -> None:
        """Two personal keys: one goes to the console and is ended there; the time of the other one is over."""
        for _ in range(2):
            personal = Api(self._api.url, self._api.post("/session", {"token": issuer.token()})["key"])
            assert personal.get("/me")["role"] == "read"
        once = personal.post("/session/tokens", {"share": "c2hhcmU"})
        assert Api(self._api.url, None).post("/session/token", {"token": once["token"]}) == {"share": "c2hhcmU"}
        assert personal.send("DELETE", "/session").status == 200
        table, keys = self._client("dynamodb"), self._physical["AccessKeysTable"]
        (other,) = [
            item["key_id"]
            for item in table.scan(TableName=keys)["Items"]
            if "until" in item and int(item["until"]["N"]) > time.time() + 60
        ]
        table.update_item(
            TableName=keys,
            Key={"key_id": other},
            UpdateExpression="SET #until = :past",
            ExpressionAttributeNames={"#until": "until"},
            ExpressionAttributeValues={":past": {"N": "1"}},
        )

    def cleanup(self) -> None:
        """A version and a model that are deleted and restored, and what cannot be deleted."""
        api, name = self._api, f"{MODEL}-converted"
        assert api.send("DELETE", f"/models/{name}/versions/2?reason=permissions").status == 409
        self._tracking_api().post("/registered-models/create", {"name": f"{MODEL}-lists"})
        for route in (f"/models/{name}/versions/1", f"/models/{MODEL}-lists"):
            deleted = api.send("DELETE", f"{route}?reason=permissions&force=true")
            assert deleted.status == 200, deleted.json
            assert api.get("/bin")["total_count"] == 1
            assert api.send("POST", f"{route}/restore", {}).status == 200
        number = self._tracking_api().post("/experiments/create", {"name": f"{MODEL}-lists"})["experiment_id"]
        run = self._tracking_api().post("/runs/create", {"experiment_id": number})["run"]["info"]["run_id"]
        for route in (f"/experiments/{number}/runs/{run}", f"/experiments/{MODEL}-lists"):
            assert api.send("DELETE", f"{route}?reason=permissions&force=true").status == 200
            assert api.send("GET", route).status == 410
            assert api.send("POST", f"{route}/restore", {}).status == 200
        self._delete_data()
        self._invoke("CleanupFunction", {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
        self._weekly(name, number, run)

    def _delete_data(self) -> None:
        """The data set of the table model is deleted, and something of it comes back for the hourly look."""
        api, put = self._api, partial(self._client("s3").put_object, Bucket=self._bucket, Body=b"permissions")
        key = "datasets/permissions/table.csv"
        used = next(each for each in api.get("/datasets?limit=200")["datasets"] if each["name"].endswith(key))
        job = next(each for each in api.get("/train/jobs?limit=100")["jobs"] if each["model_name"] == f"{MODEL}-table")
        for folder in ("checkpoints", "code-checkpoints"):
            put(Key=f"{folder}/{job['job_id']}/x")
        deleted = api.send("DELETE", f"/datasets/{used['digest']}?reason=permissions")
        assert (deleted.status, deleted.json.get("completed_at") is not None) == (200, True), deleted.json
        put(Key=key)

    def _weekly(self, model: str, experiment: str, run: str) -> None:
        """A cleanup that purges a version and a run, and removes what nothing has pointed to for a week."""
        api, (table, past) = self._api, (self._physical["GovernanceTable"], "2026-01-01T00:00:00.000Z")
        put = partial(self._client("s3").put_object, Bucket=self._bucket, Body=b"permissions")
        converted = api.get(f"/models/{model}/versions/1/conversion")["sha256"]
        put(Key=f"serving/{model}/{converted}.explain.npz")
        put(Key=f"mlflow/{experiment}/{run}/artifacts/x")
        dynamodb = self._client("dynamodb")
        for folder in ("checkpoints/permissions/", "code-checkpoints/permissions/"):
            put(Key=f"{folder}x")
            item = {"part": {"S": "#orphans"}, "item": {"S": folder}, "since": {"S": past}}
            dynamodb.put_item(TableName=table, Item=item)
        for route in (f"/models/{model}/versions/1", f"/experiments/{experiment}/runs/{run}"):
            assert api.send("DELETE", f"{route}?reason=permissions&force=true").status == 200
        for identity in (f"version/1/{model}", f"run/{run}"):
            dynamodb.update_item(
                TableName=table,
                Key={"part": {"S": "#bin"}, "item": {"S": identity}},
                UpdateExpression="SET #until = :past",
                ExpressionAttributeNames={"#until": "until"},
                ExpressionAttributeValues={":past": {"S": past}},
            )
        self._invoke("CleanupFunction", {"task": "cleanup"})
        done = api.get("/cleanups")["cleanups"][0]
        assert (done["counts"]["purged"], done["failed"]) == (2, []), done
        assert set(done["removed"]) >= {"checkpoints/permissions/", "code-checkpoints/permissions/"}, done

    def _tracking_api(self) -> Api:
        return Api(f"{self._recording.settings.tracking_url}/api/2.0/mlflow", None)

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
    groups = [f"/aws/rds/instance/Database.Outputs.Name/{log}" for log in ("postgresql", "upgrade")]
    properties = {"JobQueue": queue, "JobDefinition": definition}
    bounded = {"LogGroups": groups, "LogRetentionDays": "30", "KmsKeyArn": ""}
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
        migration.keep_logs(bounded)
        kept = client("logs").describe_log_groups(logGroupNamePrefix="/aws/rds/instance/")["logGroups"]
        assert {each["logGroupName"]: each["retentionInDays"] for each in kept} == dict.fromkeys(groups, 30)
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
