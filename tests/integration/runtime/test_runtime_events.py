"""Every file of events/ goes through AWS's own runtime, into the function as it is built and with its layers alone."""

import base64
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import boto3
import pytest

from infra import artifacts
from infra.local import deploy
from mlops.domain.transition import new_transition_id
from tools.runtime.custom_resource import Receiver
from tools.runtime.emulated import Emulated, FunctionFailed
from tools.runtime.events import FOLDER, event, give_their_key_a_role
from tools.runtime.functions import Artifact

pytestmark = pytest.mark.slow
Emulate = Callable[[str], Emulated]


def body(answer: dict[str, Any]) -> Any:
    return json.loads(answer["body"])


@pytest.fixture(scope="module", autouse=True)
def the_key_of_the_events(stack: Any) -> None:
    give_their_key_a_role(stack.settings)


def test_every_function_has_its_event(functions: dict[str, Artifact]) -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {*functions, "tracking"}


@pytest.mark.parametrize(
    ("name", "status", "holds"),
    [
        ("portal", 200, {"status": "ok"}),
        ("training", 200, {"jobs", "total_count"}),
        ("batch_predictions", 422, {"code": "validation_failed"}),
        ("experiments", 200, {"experiments", "total_count"}),
        ("models", 200, {"models", "total_count"}),
        ("transitions", 404, {"code": "not_found"}),
        ("pushes", 202, {"version", "uploads"}),
        ("rollout", 200, {"rollouts", "next_cursor"}),
        ("deletions", 200, {"entries", "total_count"}),
        ("predict", 200, {"model_stage": "Production"}),
        ("drift", 200, {"status", "thresholds"}),
        ("feedback", 200, {"versions", "waiting"}),
        ("webhooks", 200, {"webhooks"}),
    ],
)
def test_a_request(emulate: Emulate, production_model: Any, name: str, status: int, holds: Any) -> None:
    function = emulate(name)
    answer = function.invoke(event(name))
    assert answer["statusCode"] == status, (answer, function.log())
    assert answer["headers"]["x-request-id"] == event(name)["requestContext"]["requestId"]
    found = body(answer)
    if isinstance(holds, dict):
        assert {key: found[key] for key in holds} == holds
    else:
        assert holds <= found.keys()


def test_predict_answers_from_the_model_in_production(emulate: Emulate, production_model: Any) -> None:
    answer = body(emulate("predict").invoke(event("predict")))
    assert answer["model_version"] >= production_model["model_version"]
    assert answer["prediction"] in range(10)
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-4)


def test_metrics_are_text(emulate: Emulate) -> None:
    answer = emulate("metrics").invoke(event("metrics"))
    assert answer["statusCode"] == 200
    assert answer["isBase64Encoded"] is False
    assert "# TYPE mlops_" in answer["body"]


def test_promotion_works_a_message_off(
    emulate: Emulate, stack: Any, outputs: dict[str, str], production_model: Any
) -> None:
    s3 = deploy.client(stack.settings, "s3")

    def epoch() -> int:
        key = "serving/digit-classifier/Production.json"
        return int(
            json.loads(s3.get_object(Bucket=outputs["ArtifactBucketName"], Key=key)["Body"].read())["cache_epoch"]
        )

    asked = event("promotion")
    (record,) = asked["Records"]
    # Of its own, because a message that was worked off before changes nothing.
    record["body"] = json.dumps({**json.loads(record["body"]), "transition_id": new_transition_id()})
    before = epoch()
    assert emulate("promotion").invoke(asked) is None
    assert epoch() == before + 1


def test_webhook_delivery_drops_the_message_of_a_webhook_that_is_gone(emulate: Emulate) -> None:
    assert emulate("webhook_delivery").invoke(event("webhook_delivery")) == {"batchItemFailures": []}


def test_prediction_log_counts_a_delivery(emulate: Emulate) -> None:
    asked = event("prediction_log")
    lines = json.loads(gzip.decompress(base64.b64decode(asked["awslogs"]["data"])))
    for line in lines["logEvents"]:
        line["id"] += uuid4().hex  # of its own, because a delivery that was counted before is not counted again
    asked["awslogs"]["data"] = base64.b64encode(gzip.compress(json.dumps(lines).encode())).decode()
    answer = emulate("prediction_log").invoke(asked)
    assert answer["lines"] + answer["skipped"] == 1


def test_cleanup_looks_at_the_bin(emulate: Emulate) -> None:
    looked = emulate("cleanup").invoke(event("cleanup"))
    # Other tests may have deleted data sets of the same stack, which it looks at for three days.
    assert (looked.keys(), looked["hidden"]) == ({"hidden", "datasets"}, [])


def test_reconcile_goes_its_round(emulate: Emulate) -> None:
    done = emulate("reconcile").invoke(event("reconcile"))
    assert done.keys() >= {"LostMessages", "MisplacedAliases", "LostJobs", "WaitingJobs", "DeletedModels"}


def test_job_events_follows_a_job(emulate: Emulate, stack: Any, outputs: dict[str, str]) -> None:
    table = boto3.resource("dynamodb", **_local(stack)).Table(outputs["JobsTableName"])
    name = event("job_events")["detail"]["jobName"]
    created = {"created_at": datetime.now(UTC).isoformat()}
    item = {"job_id": name, "kind": "job", "status": "pending", "status_order": 0, "attempt": 1, **created}
    table.put_item(Item=item)
    try:
        assert emulate("job_events").invoke(event("job_events")) is None
        assert table.get_item(Key={"job_id": name})["Item"]["status"] == "running"
    finally:
        table.delete_item(Key={"job_id": name})


def test_migration_answers_cloudformation(emulate: Emulate) -> None:
    with Receiver() as cloudformation:
        assert emulate("migration").invoke({**event("migration"), "ResponseURL": cloudformation.url}) is None
    assert [each["Status"] for each in cloudformation.answers] == ["SUCCESS"]
    assert cloudformation.answers[0]["RequestId"] == event("migration")["RequestId"]


def test_tracking_answers(emulated_tracking: Emulated) -> None:
    answer = emulated_tracking.invoke(event("tracking"))
    assert answer["statusCode"] == 200
    text = base64.b64decode(answer["body"]).decode() if answer["isBase64Encoded"] else answer["body"]
    assert f'"mlflow=={text}"' in (artifacts.ROOT / "pyproject.toml").read_text()


def test_a_failure_shows(emulate: Emulate) -> None:
    with pytest.raises(FunctionFailed, match="KeyError"):
        emulate("prediction_log").invoke({})


def _local(stack: Any) -> dict[str, str]:
    return {
        "endpoint_url": stack.env["AWS_ENDPOINT_URL"],
        "region_name": stack.env["AWS_DEFAULT_REGION"],
        "aws_access_key_id": stack.env["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": stack.env["AWS_SECRET_ACCESS_KEY"],
    }
