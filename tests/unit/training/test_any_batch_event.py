"""Events of AWS Batch in any order and with anything in them: others' change nothing, ours leave records to read."""

import itertools
import json
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.settings import ROOT
from job_events.announcement import Announcements
from job_events.app import handler
from job_events.costs import Costs, CostSettings
from job_events.job_states import JobStates
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.eventbridge import Events
from mlops.aws.jobs_table import JobsTable
from mlops.domain.job import Job, Sweep
from tests.support.fuzzing import budget
from tests.support.gateway import CONTEXT
from tests.support.tables import make_table

pytestmark = pytest.mark.fuzz

SAMPLE = json.loads((ROOT / "events" / "job_events.json").read_text())
STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
OURS = {"job_000001": "batch-1", "sweep_000002": "batch-2"}
RUNS = ["job_000001", "job_000002", "job_000003"]
TEXT = st.text(max_size=40)
pairs = st.fixed_dictionaries({"name": TEXT, "value": TEXT})
containers = st.fixed_dictionaries(
    {},
    optional={
        "environment": st.lists(pairs, max_size=3),
        "exitCode": st.integers(-(2**31), 2**31),
        "reason": TEXT,
        "logStreamName": TEXT,
    },
)
anything = st.fixed_dictionaries(
    {"status": st.sampled_from(STATUSES), "attempts": st.lists(st.just({}), max_size=10)},
    optional={"container": containers, "statusReason": TEXT, "nodeProperties": st.just({"isMainNode": True})},
)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", fullmatch=True) | st.sampled_from([*OURS, "counter"])
foreign = st.builds(
    lambda detail, name, index: (
        {**detail, "jobName": name, "jobId": "other" if index is None else f"other:{index}"}
        | ({} if index is None else {"arrayProperties": {"index": index}})
    ),
    anything,
    names,
    st.none() | st.integers(0, 9999),
)
run = st.builds(lambda detail: {**detail, "jobName": "job_000001", "jobId": "batch-1"}, anything)
child = st.builds(
    lambda detail, index: {
        **detail,
        "jobName": "sweep_000002",
        "jobId": f"batch-2:{index}",
        "arrayProperties": {"index": index},
    },
    anything,
    st.integers(0, 1),
)


def ours(number: int) -> JobsTable:
    """A run, and a sweep of two, under way."""
    jobs = JobsTable(DynamoTable(make_table("JobsTable", f"jobs-{number}")))
    common = {"experiment_name": "e", "model_name": "m"}
    jobs.create(Job("job_000001", **common))
    jobs.create(Sweep("sweep_000002", **common, job_ids=("job_000002", "job_000003")))
    for index in (0, 1):
        jobs.create(Job(f"job_00000{index + 2}", **common, sweep_id="sweep_000002", array_index=index))
    for name, batch_id in OURS.items():
        jobs.submitted(name, batch_id)
    return jobs


def deliver(patch: pytest.MonkeyPatch, jobs: JobsTable, detail: dict[str, Any]) -> None:
    patch.setattr(JobStates, "from_environment", lambda: JobStates(jobs, None, None, None))
    costs = Costs(CostSettings(), jobs, None)  # type: ignore[arg-type]  # no job has a run yet
    patch.setattr(Costs, "from_environment", lambda: costs)
    announcements = Announcements(jobs, None, Events("default"))  # type: ignore[arg-type]  # none is a batch prediction
    patch.setattr(Announcements, "from_environment", lambda: announcements)
    handler({**SAMPLE, "detail": {**SAMPLE["detail"], **detail}}, CONTEXT)


def items(number: int) -> list[dict[str, Any]]:
    return sorted(boto3.resource("dynamodb").Table(f"jobs-{number}").scan()["Items"], key=lambda item: item["job_id"])


numbers = itertools.count()


@budget(6)
@given(events=st.lists(foreign, min_size=1, max_size=5))
def test_others_jobs_change_nothing(aws: None, monkeypatch: pytest.MonkeyPatch, events: list[dict[str, Any]]) -> None:
    number = next(numbers)
    jobs = ours(number)
    before = items(number)
    for event in events:
        deliver(monkeypatch, jobs, event)
    assert items(number) == before


@budget(10)
@given(events=st.lists(run | child | foreign, min_size=1, max_size=5), again=st.integers(0, 9))
def test_our_own_jobs_stay_readable_and_an_end_is_an_end(
    aws: None, monkeypatch: pytest.MonkeyPatch, events: list[dict[str, Any]], again: int
) -> None:
    jobs = ours(next(numbers))
    ended: dict[str, Any] = {}
    for event in [*events, events[again % len(events)]]:
        deliver(monkeypatch, jobs, event)
        found = {job.job_id: job for job in jobs.get_many(RUNS)}
        assert list(found) == RUNS
        for job_id, status in ended.items():
            assert found[job_id].status.has_ended, f"{job_id} was {status}"
        ended |= {job_id: job.status for job_id, job in found.items() if job.status.has_ended}
    assert [job.job_id for job in jobs.page(Job).records] == RUNS[::-1]
    assert jobs.page(Sweep).total == 1
