"""Many manifests are read in few steps, and one that cannot be read keeps no other from being read."""

import itertools
import json
import threading

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from metrics.sources import MetricsSettings, Sources
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.jobs_table import JobsTable
from mlops.aws.performance_records import PerformanceRecords
from mlops.aws.rollouts_table import RolloutsTable
from mlops.aws.serving_bucket import PARALLEL_READS, ServedModels
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.manifest import ManifestError, manifest_key
from mlops.domain.stages import ALIASES, Stage
from tests.support.serving import served
from tests.support.tables import make_table

BUCKET = "artifacts"
MODELS = [f"model-{number:02}" for number in range(2 * PARALLEL_READS)]
WAIT_SECONDS = 30
"""Only a read that nothing joins waits so long, and then the test fails."""


@pytest.fixture
def s3(aws):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    return s3


@pytest.fixture
def put(s3):
    def put(model_name, body=None, stage="Production"):
        body = body or served(4, model_name=model_name).manifest.to_json()
        s3.put_object(Bucket=BUCKET, Key=manifest_key(model_name, stage), Body=body)

    return put


def stages(*names):
    return list(itertools.product(names, ALIASES))


def watch(models, before=lambda: None, failing=()):
    """Note the answer to each read of `models`; those of the models in `failing` raise."""
    get_object, answers = models._s3.get_object, []

    def get(**request):
        before()
        for name, error in dict(failing).items():
            if f"/{name}/" in request["Key"]:
                raise error
        try:
            answer = get_object(**request)
        except ClientError as error:
            answers.append(error.response["Error"]["Code"])
            raise
        answers.append("read")
        return answer

    models._s3.get_object = get
    return answers


def test_a_scrape_reads_all_manifests_in_as_few_steps_as_can_run_at_a_time(stats, records, put):
    """A step is over when PARALLEL_READS reads are under way together; one after another, none would ever be."""
    for name in MODELS:
        put(name)
    steps = []
    barrier = threading.Barrier(PARALLEL_READS, action=lambda: steps.append("step"), timeout=WAIT_SECONDS)
    models = ServedModels(BUCKET)
    watch(models, before=barrier.wait)
    jobs, transitions = make_table("JobsTable", "jobs"), make_table("TransitionsTable", "transitions")
    feedback = DynamoTable(make_table("FeedbackTable", "feedback"))
    sources = Sources(
        MetricsSettings(MODELS[0], json.dumps({})),
        *(stats, models, records, JobsTable(DynamoTable(jobs)), TransitionsTable(DynamoTable(transitions))),
        *(FeedbackTable(feedback), PerformanceRecords(feedback)),
        RolloutsTable(DynamoTable(make_table("RolloutsTable", "rollouts"))),
    )
    reading = sources.read()
    assert reading.serving == {name: {Stage.PRODUCTION: 4} for name in MODELS}
    assert len(steps) == len(MODELS) * len(ALIASES) / PARALLEL_READS == 4


def test_what_has_not_changed_is_not_transferred_again(put, s3):
    for name in ("a", "b", "c"):
        put(name)
    models = ServedModels(BUCKET)
    before = models.read_all(stages("a", "b", "c"))
    answers = watch(models)
    assert models.read_all(stages("a", "b", "c")) == before
    assert sorted(answers) == sorted(["304", "304", "304", "NoSuchKey", "NoSuchKey", "NoSuchKey"])
    put("b", served(5, model_name="b").manifest.to_json())
    s3.delete_object(Bucket=BUCKET, Key=manifest_key("c", "Production"))
    after = models.read_all(stages("a", "b", "c"))
    assert [(stage.model_name, stage.manifest.model_version) for stage in after] == [("a", 4), ("b", 5)]
    put("c")
    assert [stage.model_name for stage in models.read_all(stages("a", "b", "c"))] == ["a", "b", "c"]


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b'{"schema":1,"min_reader":99}'], ids=lambda body: body[:20])
def test_a_manifest_that_cannot_be_read_keeps_no_other_from_being_read(put, body):
    put("a")
    put("torn", body)
    put("z")
    models = ServedModels(BUCKET)
    for _ in range(2):  # the second time S3 says that nothing has changed
        a, torn, z = models.read_all(stages("a", "torn", "z"))
        assert (a.manifest.model_version, torn.manifest, z.manifest.model_version) == (4, None, 4)
        assert isinstance(torn.error, ManifestError)
        assert "'torn' in Production" in str(torn.error)


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://s3"),
        ClientError({"Error": {"Code": "InternalError", "Message": "?"}}, "GetObject"),
    ],
    ids=["connection", "answer"],
)
def test_a_failure_of_s3_at_one_model_keeps_no_other_from_being_read_and_is_not_kept(put, error):
    put("a")
    put("z")
    models = ServedModels(BUCKET)
    whole = models.read_all(stages("a", "z"))
    original = models._s3.get_object
    watch(models, failing={"a": error})
    read = {(entry.model_name, entry.stage): entry for entry in models.read_all(stages("a", "z"))}
    assert read.pop(("a", Stage.PRODUCTION)).error is error
    assert read.pop(("a", Stage.STAGING)).error is error
    assert list(read.values()) == whole[1:]
    models._s3.get_object = original
    assert models.read_all(stages("a", "z")) == whole
