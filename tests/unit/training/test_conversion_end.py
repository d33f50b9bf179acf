"""The end of a conversion's job ends the conversion, and wakes what waits: once, late, doubled, or by reconcile."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from job_events.conversion_end import ConversionEnds
from mlops.aws.batch_job import BatchJob
from mlops.aws.conversion_jobs import identity
from mlops.aws.conversion_results import ConversionResults
from mlops.aws.conversions_table import ConversionsTable
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.promotion_queue import PromotionQueue
from mlops.domain.conversion import RESULT_FILE, Conversion, ConversionStatus
from reconcile.lost_conversions import LostConversions
from tests.support.tables import make_table

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
"""So it is young, whenever the tests run."""
CONVERSION = Conversion("m", 3, "conv_1", "2026-01-01", actor="ann", request_id="req-1", created_at=TOMORROW)
SHA256, BUCKET = "a" * 64, "bucket"
MADE = {"conversion_id": "conv_1", "sha256": SHA256, "task": "classification", "notes": ["a note"]}


@pytest.fixture
def table(aws: None) -> ConversionsTable:
    made = ConversionsTable(DynamoTable(make_table("ConversionsTable", "conversions")))
    made.claim(CONVERSION)
    made.submitted(CONVERSION, "b1")
    made.wait(CONVERSION, "tr_1")
    return made


@pytest.fixture
def messages(aws: None) -> Callable[[], list[dict[str, Any]]]:
    """Those that were sent since the last call."""
    client = boto3.client("sqs")
    client.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})

    def sent() -> list[dict[str, Any]]:
        url = client.get_queue_url(QueueName="q.fifo")["QueueUrl"]
        received = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in received:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in received]

    return sent


@pytest.fixture
def ends(table: ConversionsTable, messages: Any) -> ConversionEnds:
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    url = boto3.client("sqs").get_queue_url(QueueName="q.fifo")["QueueUrl"]
    return ConversionEnds(table, ConversionResults(BUCKET), PromotionQueue(url))


def event(status: str, **more: Any) -> BatchJob:
    environment = [{"name": name, "value": value} for name, value in identity(CONVERSION).items()]
    container = {"environment": environment, **more.pop("container", {})}
    job: Any = {"jobId": "b1", "jobName": "conv_1", "jobQueue": "q", "status": status, "container": container, **more}
    return job  # type: ignore[no-any-return]


def write(result: Any) -> None:
    body = result if isinstance(result, bytes) else json.dumps(result).encode()
    boto3.client("s3").put_object(Bucket=BUCKET, Key=CONVERSION.folder + RESULT_FILE, Body=body)


def found(table: ConversionsTable) -> Conversion:
    conversion = table.get("m", 3)
    assert conversion is not None
    return conversion


def test_a_result_ends_the_conversion_and_wakes_the_transition(
    ends: ConversionEnds, table: ConversionsTable, messages: Any
) -> None:
    write(MADE)
    assert ends.follow(event("SUCCEEDED"))
    ended = found(table)
    assert (ended.status, ended.sha256, ended.task, ended.notes) == ("succeeded", SHA256, "classification", ("a note",))
    assert messages() == [{"kind": "transition", "transition_id": "tr_1", "model_name": "m", "request_id": "req-1"}]


def test_the_reason_of_a_refusal_is_kept(ends: ConversionEnds, table: ConversionsTable, messages: Any) -> None:
    write({"conversion_id": "conv_1", "reason": "the step 'tfidf' has no equivalent"})
    ends.follow(event("SUCCEEDED"))
    assert (found(table).status, found(table).error) == ("failed", "the step 'tfidf' has no equivalent")
    assert len(messages()) == 1


@pytest.mark.parametrize(
    "result",
    [None, b"no JSON", {"conversion_id": "conv_2", "sha256": SHA256}, {"conversion_id": "conv_1"}, b"[" * 200_000],
    ids=["none", "no JSON", "of another conversion", "neither", "too large"],
)
def test_what_cannot_be_a_result_fails_the_conversion(
    ends: ConversionEnds, table: ConversionsTable, result: Any
) -> None:
    if result is not None:
        write(result)
    ends.follow(event("SUCCEEDED"))
    assert found(table).status is ConversionStatus.FAILED
    assert "without a result" in str(found(table).error)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"container": {"reason": "OutOfMemoryError: Container killed due to memory usage"}}, "ran out of memory"),
        ({"statusReason": "Job attempt duration exceeded timeout"}, "exceeded timeout"),
        ({}, "its job failed"),
    ],
)
def test_a_failed_job_says_why(
    ends: ConversionEnds, table: ConversionsTable, messages: Any, more: dict[str, Any], reason: str
) -> None:
    ends.follow(event("FAILED", **more))
    assert reason in str(found(table).error)
    assert len(messages()) == 1


def test_a_doubled_event_changes_nothing(ends: ConversionEnds, table: ConversionsTable) -> None:
    write(MADE)
    ends.follow(event("SUCCEEDED"))
    before = found(table)
    ends.follow(event("SUCCEEDED"))
    ends.follow(event("FAILED"))
    assert found(table) == before


def test_an_event_that_died_before_the_messages_sends_them(
    ends: ConversionEnds, table: ConversionsTable, messages: Any
) -> None:
    table.finish(CONVERSION, ConversionStatus.SUCCEEDED, sha256=SHA256)
    ends.follow(event("SUCCEEDED"))
    assert [message["transition_id"] for message in messages()] == ["tr_1"]


def test_other_events_end_nothing(ends: ConversionEnds, table: ConversionsTable, messages: Any) -> None:
    write(MADE)
    assert ends.follow(event("RUNNING"))
    assert not ends.follow(event("SUCCEEDED", jobId="b2"))
    assert not ends.follow(event("SUCCEEDED", jobName="conv_2"))
    foreign: Any = {"jobId": "b", "jobName": "conv_x", "jobQueue": "q", "status": "SUCCEEDED"}
    assert not ends.follow(foreign)
    assert found(table).status is ConversionStatus.RUNNING
    assert messages() == []


class Batch:
    """Has the jobs that it is given, by their ids."""

    def __init__(self, *jobs: BatchJob, names: dict[str, str] | None = None) -> None:
        self._jobs, self._names = {job["jobId"]: job for job in jobs}, names or {}

    def find(self, name: str) -> str | None:
        return self._names.get(name)

    def describe(self, ids: list[str]) -> list[BatchJob]:
        return [self._jobs[each] for each in ids if each in self._jobs]


class Events:
    def __init__(self) -> None:
        self.published: list[BatchJob] = []

    def job_state(self, job: BatchJob) -> None:
        self.published.append(job)


def look(table: ConversionsTable, batch: Batch) -> list[BatchJob]:
    events = Events()
    LostConversions(table, batch, events, "queue").look()  # type: ignore[arg-type]
    return events.published


def age(table: ConversionsTable, minutes: float, batch_job_id: str | None = "b1") -> None:
    """Put the conversion in the place of one that was started some minutes ago."""
    table.finish(CONVERSION, ConversionStatus.FAILED)
    created = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    table.claim(replace(CONVERSION, created_at=created, batch_job_id=batch_job_id, waiting=frozenset({"tr_1"})))


def test_an_end_that_nobody_heard_of_is_announced(ends: ConversionEnds, table: ConversionsTable, messages: Any) -> None:
    age(table, 60)
    write(MADE)
    published = look(table, Batch(event("SUCCEEDED")))
    assert [ends.follow(job) for job in published] == [True]
    assert found(table).status is ConversionStatus.SUCCEEDED
    assert len(messages()) == 1


@pytest.mark.parametrize(
    ("batch_job_id", "reason"), [("b1", "does not have the job any more"), (None, "never reached")]
)
def test_a_job_that_batch_does_not_have_fails(
    ends: ConversionEnds, table: ConversionsTable, batch_job_id: str | None, reason: str
) -> None:
    age(table, 60, batch_job_id)
    assert [ends.follow(job) for job in look(table, Batch())] == [True]
    assert reason in str(found(table).error)


def test_a_job_whose_id_was_lost_is_found_by_its_name(table: ConversionsTable) -> None:
    age(table, 60, None)
    assert look(table, Batch(event("RUNNING"), names={"conv_1": "b1"})) == []
    assert len(look(table, Batch(event("FAILED"), names={"conv_1": "b1"}))) == 1


def test_young_and_running_jobs_are_left_alone(table: ConversionsTable) -> None:
    assert look(table, Batch()) == []
    age(table, 60)
    assert look(table, Batch(event("RUNNING"))) == []
