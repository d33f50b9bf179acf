"""The scheduler with real processes: what runs when, and what a stop and a crash leave."""

import signal
from dataclasses import replace

import pytest

from infra.local.aws.batch.documents import describe
from infra.local.aws.batch.jobs import INTERRUPTED_SPOT, Job, Submission
from infra.local.aws.batch.resources import ComputeEnvironment, JobDefinition, JobQueue
from infra.local.aws.batch.rules import Status
from infra.local.aws.batch.runner import Image
from infra.local.aws.batch.scheduler import Scheduler
from infra.local.aws.batch.store import Store
from tests.support.waiting import eventually

ENVIRONMENT = ComputeEnvironment("spot", "arn:spot", "FARGATE_SPOT")
QUEUE = JobQueue("spot", "arn:queue", 1, "ENABLED", ("spot",))
ON_INTERRUPTION = {
    "attempts": 2,
    "evaluateOnExit": [
        {"onStatusReason": "Your Spot Task was interrupted*", "action": "RETRY"},
        {"onExitCode": "*", "action": "EXIT"},
    ],
}
WAITS = "import time; print('ready', flush=True); time.sleep(60)"


class Sink:
    """Events as (job id, status), and lines by log stream."""

    def __init__(self):
        self.events = []
        self.lines = {}

    def state_changed(self, detail):
        self.events.append((detail["jobId"], detail["status"]))

    def write_log(self, group, stream, lines):
        self.lines.setdefault(stream, []).extend(text for _when, text in lines)


class Batch:
    def __init__(self, path, slots=2):
        self.sink = Sink()
        self.store = Store(path / "batch.sqlite")
        self.store.queues.put(QUEUE)
        self.scheduler = Scheduler(self.store, Image((), {}), self.sink, slots=slots, scratch=path / "jobs")

    def submit(self, code, job_id="job", size=None, sequence=1, **changes):
        definition = JobDefinition("d", 1, "arn:d", "ACTIVE", {"command": ["python", "-c", code]})
        submission = Submission.of({"jobName": "probe"}, definition, QUEUE, ENVIRONMENT, sequence=sequence)
        job = Job(job_id, f"arn:job/{job_id}", replace(submission, **changes), created_at=1)
        if size is not None:
            job.make_array(size)
        self.scheduler.submit(job)
        return job

    def log(self, job):
        return self.sink.lines.get(job.container.log_stream, [])


@pytest.fixture
def batch(tmp_path):
    made = Batch(tmp_path)
    made.scheduler.start()
    yield made
    made.scheduler.stop()


def test_a_job_runs_to_its_end_with_its_log(batch):
    job = batch.submit("import os; print(os.environ['AWS_BATCH_JOB_ID'], os.environ['AWS_BATCH_JOB_ATTEMPT'])")
    eventually(lambda: ("job", Status.SUCCEEDED) in batch.sink.events)  # sent after the job has its status
    assert (job.status, job.container.exit_code, batch.log(job)) == (Status.SUCCEEDED, 0, ["job 1"])
    assert batch.sink.events == [("job", status) for status in ("RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED")]


def test_an_array_ends_with_its_last_child_and_fails_with_any(batch):
    job = batch.submit("import os; raise SystemExit(os.environ['AWS_BATCH_JOB_ARRAY_INDEX'] == '1')", size=3)
    eventually(lambda: job.status.has_ended)
    assert [child.status for child in job.children] == [Status.SUCCEEDED, Status.FAILED, Status.SUCCEEDED]
    assert (job.status, job.status_reason) == (Status.FAILED, "Array Child Job failed")
    assert job.status_counts == dict.fromkeys(Status, 0) | {Status.SUCCEEDED: 2, Status.FAILED: 1}


def test_an_attempt_that_takes_too_long_is_ended_and_not_repeated(batch):
    job = batch.submit(WAITS, timeout={"attemptDurationSeconds": 1}, retry_strategy={"attempts": 3})
    eventually(lambda: job.status.has_ended)
    assert (job.status, job.status_reason) == (Status.FAILED, "Job attempt duration exceeded timeout")
    assert [attempt.container.exit_code for attempt in job.attempts] == [128 + signal.SIGTERM]


def test_a_job_that_takes_more_memory_than_it_asked_for_is_killed_as_on_aws(batch):
    """A data set that unpacks to gigabytes must not take the laptop down."""
    code = f"held = b'x' * (300 << 20); {WAITS}"
    container = {"command": ["python", "-c", code], "environment": []}
    small, large = ([{"type": "MEMORY", "value": size}] for size in ("200", "900"))
    job = batch.submit(code, container=container | {"resourceRequirements": small})
    roomy = batch.submit(code, job_id="roomy", container=container | {"resourceRequirements": large})
    eventually(lambda: job.status.has_ended and batch.log(roomy) == ["ready"])
    assert (job.status, job.container.exit_code) == (Status.FAILED, 128 + signal.SIGKILL)
    assert job.container.reason == "OutOfMemoryError: Container killed due to memory usage"
    assert not roomy.status.has_ended


def test_a_terminated_job_ends_with_the_reason_and_without_another_attempt(batch):
    job = batch.submit(WAITS, retry_strategy={"attempts": 3})
    eventually(lambda: batch.log(job) == ["ready"])
    batch.scheduler.terminate(job, "not needed any more")
    eventually(lambda: job.status.has_ended)
    assert (job.status, job.status_reason) == (Status.FAILED, "not needed any more")
    assert len(job.attempts) == 1


def test_jobs_beyond_the_slots_wait_in_order(tmp_path):
    batch = Batch(tmp_path, slots=1)
    jobs = [batch.submit("pass", job_id=name, sequence=order) for name, order in (("second", 2), ("first", 1))]
    batch.scheduler.start()
    eventually(lambda: all(job.status.has_ended for job in jobs))
    running = [job_id for job_id, status in batch.sink.events if status == "RUNNING"]
    assert running == ["first", "second"]
    batch.scheduler.stop()


def test_what_a_stop_interrupts_runs_again_at_the_next_start(tmp_path):
    code = f"import os\nif os.environ['AWS_BATCH_JOB_ATTEMPT'] == '1':\n    {WAITS}\n"
    batch = Batch(tmp_path)
    batch.scheduler.start()
    job = batch.submit(code, retry_strategy=ON_INTERRUPTION)
    eventually(lambda: batch.log(job) == ["ready"])
    batch.scheduler.stop()
    batch.store.close()
    assert (job.status, job.status_reason) == (Status.RUNNABLE, INTERRUPTED_SPOT)
    again = Batch(tmp_path)
    assert describe(again.store.jobs["job"]) == describe(job)
    again.scheduler.start()
    eventually(lambda: again.store.jobs["job"].status.has_ended)
    assert again.store.jobs["job"].status is Status.SUCCEEDED
    assert again.store.jobs["job"].attempts[0].status_reason == INTERRUPTED_SPOT
    again.scheduler.stop()


def test_what_ran_when_the_service_was_killed_is_ended_first_and_runs_again(tmp_path):
    code = f"import os\nif os.environ['AWS_BATCH_JOB_ATTEMPT'] == '1':\n    {WAITS}\n"
    batch = Batch(tmp_path)
    batch.scheduler.start()
    job = batch.submit(code, retry_strategy=ON_INTERRUPTION)
    eventually(lambda: batch.log(job) == ["ready"])
    process = job.process
    # Another service on a copy of the files, as they were at the kill.
    copy = tmp_path / "after"
    copy.mkdir()
    for file in tmp_path.glob("batch.sqlite*"):
        (copy / file.name).write_bytes(file.read_bytes())
    again = Batch(copy)
    assert process.alive()
    again.scheduler.start()
    assert not process.alive()
    eventually(lambda: again.store.jobs["job"].status.has_ended)
    assert again.store.jobs["job"].status is Status.SUCCEEDED
    assert len(again.store.jobs["job"].attempts) == 2
    again.scheduler.stop()
    batch.scheduler.stop()
