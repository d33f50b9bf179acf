"""The local stack as its user has it: started, used, killed, started again, stopped."""

import io
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from infra.local import deploy
from infra.local.aws.patches.gateway import MAX_BODY_BYTES
from infra.local.database import Database
from infra.local.errors import LocalStackError
from infra.local.settings import ROOT, STACK_NAME, Settings
from infra.local.stack import Stack
from tests.support.steps import free_ports
from tests.support.waiting import eventually

# Its stacks are its own, so it may run beside what shares the session's.
pytestmark = [pytest.mark.stack, pytest.mark.slow]

QUEUE = "probe"


def free_settings(home, **more):
    """Settings with ports nobody uses now."""
    api, tracking, aws = free_ports(3)
    return Settings(api_port=api, tracking_port=tracking, aws_port=aws, home=home, batch_slots=2, **more)


def processes_of(settings):
    """Every process that belongs to a stack's folder, however it was started."""
    home = str(settings.home)
    found = []
    for process in psutil.process_iter():
        try:
            variables = process.environ()
            said = [*process.cmdline(), process.cwd()]
            said += [variables.get(name, "") for name in ("MLOPS_LOCAL_DIR", "DATABASE_HOST")]
        except psutil.Error:
            continue
        if process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
            found += [process] if any(home in word for word in said) else []
    return found


@pytest.fixture(scope="module")
def stack():
    # Not in pytest's own folder: every run of pytest closes it to others, and root runs PostgreSQL as another user.
    with tempfile.TemporaryDirectory(prefix="mlops-stack-") as folder:
        Path(folder).chmod(0o755)
        made = Stack(free_settings(Path(folder).resolve() / "local"))
        try:
            made.up()
            yield made
        finally:
            made.down()
    assert processes_of(made.settings) == []


@pytest.fixture
def running(stack):
    """The stack, brought up again if the test before took something from it."""
    stack.up()
    return stack


@pytest.fixture
def batch(running):
    """A Batch client, a queue of the tests' own, and how to run a piece of Python as a job."""
    client = deploy.client(running.settings, "batch")
    if not client.describe_job_queues(jobQueues=[QUEUE])["jobQueues"]:
        client.create_compute_environment(
            computeEnvironmentName=QUEUE,
            type="MANAGED",
            computeResources={
                "type": "FARGATE_SPOT",
                "maxvCpus": 4,
                "subnets": ["local"],
                "securityGroupIds": ["local"],
            },
        )
        order = [{"order": 1, "computeEnvironment": QUEUE}]
        client.create_job_queue(jobQueueName=QUEUE, priority=1, computeEnvironmentOrder=order)

    def submit(code, **more):
        definition = client.register_job_definition(
            jobDefinitionName="probe",
            type="container",
            platformCapabilities=["FARGATE"],
            containerProperties={
                "image": "any",
                "command": ["python", "-c", code, "word"],
                "environment": [{"name": "GIVEN", "value": "by definition"}],
                "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}],
            },
        )["jobDefinitionArn"]
        return client.submit_job(jobName="probe", jobQueue=QUEUE, jobDefinition=definition, **more)["jobId"]

    def job(job_id):
        return client.describe_jobs(jobs=[job_id])["jobs"][0]

    def ended(job_id):
        return eventually(lambda: (found := job(job_id))["status"] in ("SUCCEEDED", "FAILED") and found)

    def log(job_id):
        events = deploy.client(running.settings, "logs").get_log_events(
            logGroupName="/aws/batch/job", logStreamName=job(job_id)["container"]["logStreamName"]
        )["events"]
        return [event["message"] for event in events]

    return SimpleNamespace(client=client, submit=submit, job=job, ended=ended, log=log)


def request(settings, path, *, data=None, headers=None, method=None):
    made = urllib.request.Request(settings.api_url + path, data=data, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(made, timeout=120) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


# --- Up ---------------------------------------------------------------------------------------------------------------


def test_everything_is_healthy_and_only_on_this_machine(running):
    assert all(row.healthy for row in running.status())
    for process in processes_of(running.settings):
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip == "127.0.0.1"


def test_a_second_up_changes_nothing_and_is_quick(running):
    before = [row.pid for row in running.status()]
    key = running.env()["MLOPS_API_KEY"]
    started = time.monotonic()
    assert running.up()["MLOPS_API_KEY"] == key
    assert time.monotonic() - started < 5
    assert [row.pid for row in running.status()] == before


def test_the_env_file_opens_every_door(running):
    assert stat.S_IMODE(running.settings.env_file.stat().st_mode) == 0o600
    status, _headers, _body = request(
        running.settings, "/train/jobs", headers={"x-api-key": running.env()["MLOPS_API_KEY"]}
    )
    assert status == 200
    with urllib.request.urlopen(running.env()["MLFLOW_TRACKING_URI"] + "/version", timeout=10) as response:
        assert response.status == 200


# --- The API's port ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "data", "headers", "status", "code"),
    [
        ("/nowhere", None, {}, 404, "not_found"),
        ("/train/jobs", None, {}, 403, "forbidden"),
        ("/train/jobs", None, {"x-api-key": "w" * 30}, 403, "forbidden"),
        ("/train", b"0" * (MAX_BODY_BYTES + 1), {"x-api-key": "w" * 30}, 413, "payload_too_large"),
    ],
)
def test_the_gateways_own_errors_are_problems(running, path, data, headers, status, code):
    found, answered, body = request(running.settings, path, data=data, headers=headers)
    problem = json.loads(body)
    assert (found, answered["content-type"]) == (status, "application/problem+json")
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == answered["x-amzn-requestid"]


def test_a_function_gets_the_event_api_gateway_sends(running):
    """What the two differ in is made the same: the key's id, no `version`, one request id, and no key's value."""
    settings = running.settings
    gateway = deploy.client(settings, "apigateway")
    code = "def handler(event, context):\n    import json\n    return {'statusCode': 200, 'body': json.dumps(event)}\n"
    with function(settings, "echo", code) as arn:
        outputs = deploy.describe(settings).outputs
        api, stage = outputs["ApiId"], outputs["ApiStage"]
        root = next(item["id"] for item in gateway.get_resources(restApiId=api)["items"] if item["path"] == "/")
        resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="echo")["id"]
        common = {"restApiId": api, "resourceId": resource, "httpMethod": "POST"}
        gateway.put_method(**common, authorizationType="NONE", apiKeyRequired=True)
        uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
        gateway.put_integration(**common, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
        gateway.create_deployment(restApiId=api, stageName=stage)
        try:
            key = running.env()["MLOPS_API_KEY"]
            _status, headers, body = request(
                settings, "/echo?a=1&a=2", data=b'{"x": 1}', headers={"x-api-key": key, "X-Twice": "1"}
            )
        finally:
            gateway.delete_resource(restApiId=api, resourceId=resource)
    event = json.loads(body)
    identity = event["requestContext"]["identity"]
    assert gateway.get_api_key(apiKey=identity["apiKeyId"])["name"] == f"{STACK_NAME}-local"
    assert key not in json.dumps(event["requestContext"])
    assert "version" not in event
    assert event["requestContext"]["requestId"] == headers["x-amzn-requestid"]
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert (event["body"], event["isBase64Encoded"]) == ('{"x": 1}', False)


# --- Functions --------------------------------------------------------------------------------------------------------


class function:
    """A function made for one test; `with` gives its ARN."""

    def __init__(self, settings, name, code):
        self.client = deploy.client(settings, "lambda")
        self.name = name
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("app.py", code)
        self.code = buffer.getvalue()

    def __enter__(self):
        return self.client.create_function(
            FunctionName=self.name,
            Runtime="python3.13",
            Handler="app.handler",
            Role="arn:aws:iam::000000000000:role/any",
            Code={"ZipFile": self.code},
        )["FunctionArn"]

    def __exit__(self, *_):
        self.client.delete_function(FunctionName=self.name)


def test_a_silent_function_is_answered_at_once(running):
    client = deploy.client(running.settings, "lambda")
    with function(running.settings, "silent", "def handler(event, context):\n    return 1\n"):
        client.invoke(FunctionName="silent")
        times = []
        for _ in range(15):
            started = time.perf_counter()
            client.invoke(FunctionName="silent")
            times.append(time.perf_counter() - started)
    # Without the end mark every call waits 50 ms for lines that do not come; with it a busy machine delays some.
    assert min(times) < 0.045


def test_all_lines_a_function_prints_reach_its_log(running):
    code = "def handler(event, context):\n    for number in range(300):\n        print('line', number)\n"
    logs = deploy.client(running.settings, "logs")
    with function(running.settings, "talkative", code):
        deploy.client(running.settings, "lambda").invoke(FunctionName="talkative")
        group = "/aws/lambda/talkative"
        found = eventually(lambda: logs.describe_log_streams(logGroupName=group)["logStreams"])
        stream = found[0]["logStreamName"]
        events = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
    said = [event["message"] for event in events]
    assert [line for line in said if line.startswith("line")] == [f"line {number}" for number in range(300)]
    assert not [line for line in said if "mlops-end" in line]


def environments_of(settings, logical_id):
    """The processes of a function, even while they come and go."""
    environments = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if any(str(settings.home) in word and f"{STACK_NAME}-{logical_id}" in word for word in words):
                environments.append(process)
    return environments


def test_a_killed_environment_fails_no_more_than_the_request_that_it_answers(running):
    """One process of a function is killed again and again, while it answers or while it starts."""
    settings = running.settings
    answered = threading.Event()
    kills, statuses = [], []

    def kill():
        while not answered.wait(1):
            if environments := environments_of(settings, "PortalFunction"):
                victim = random.choice(environments)
                with suppress(psutil.Error):
                    victim.kill()
                    kills.append(victim.pid)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with ThreadPoolExecutor(6) as callers:
            while len(kills) < 8 and killer.is_alive():
                statuses += callers.map(lambda _: request(settings, "/health")[0], range(50))
    finally:
        answered.set()
        killer.join()
    failed = [status for status in statuses if status != 200]
    assert len(kills) >= 8
    assert set(failed) <= {502}
    assert len(failed) <= len(kills)
    assert request(settings, "/health")[0] == 200


# --- Batch ------------------------------------------------------------------------------------------------------------


def test_a_job_is_a_process_with_the_image_and_the_variables_of_batch(batch):
    code = (
        "import os, sys, mlops, trainer; print('argument', sys.argv[1]);"
        "print(*(os.environ[name] for name in ('GIVEN', 'AWS_BATCH_JOB_ID', 'AWS_BATCH_JOB_ATTEMPT',"
        "'AWS_BATCH_JQ_NAME', 'OMP_NUM_THREADS')), sep='|');"
        "print('to stderr', file=sys.stderr)"
    )
    job_id = batch.submit(
        code,
        containerOverrides={"environment": [{"name": "GIVEN", "value": "by override"}]},
    )
    job = batch.ended(job_id)
    said = batch.log(job_id)
    assert (job["status"], job["container"]["exitCode"]) == ("SUCCEEDED", 0), said
    assert said == ["argument word", f"by override|{job_id}|1|{QUEUE}|1", "to stderr"]
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]


def test_an_array_fails_with_one_child_and_knows_which(batch):
    code = "import os; i = int(os.environ['AWS_BATCH_JOB_ARRAY_INDEX']); print('index', i); raise SystemExit(i == 1)"
    job_id = batch.submit(code, arrayProperties={"size": 3})
    parent = batch.ended(job_id)
    assert parent["status"] == "FAILED"
    summary = {name: count for name, count in parent["arrayProperties"]["statusSummary"].items() if count}
    assert summary == {"SUCCEEDED": 2, "FAILED": 1}
    assert batch.job(f"{job_id}:1")["container"]["exitCode"] == 1
    assert batch.log(f"{job_id}:2") == ["index 2"]


def test_only_what_the_strategy_names_is_tried_again(batch):
    strategy = {
        "attempts": 3,
        "evaluateOnExit": [{"onExitCode": "143", "action": "RETRY"}, {"onExitCode": "*", "action": "EXIT"}],
    }
    code = "import os; raise SystemExit(143 if os.environ['AWS_BATCH_JOB_ATTEMPT'] == '1' else 3)"
    job = batch.ended(batch.submit(code, retryStrategy=strategy))
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [143, 3]
    assert (job["status"], job["container"]["exitCode"]) == ("FAILED", 3)


def test_a_terminated_job_is_asked_first(batch):
    code = (
        "import signal, sys, time;"
        "signal.signal(signal.SIGTERM, lambda *_: (print('checkpoint', flush=True), sys.exit(143)));"
        "print('ready', flush=True); time.sleep(60)"
    )
    job_id = batch.submit(code, retryStrategy={"attempts": 3})
    eventually(lambda: batch.job(job_id)["status"] == "RUNNING" and batch.log(job_id))
    batch.client.terminate_job(jobId=job_id, reason="not needed any more")
    job = batch.ended(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", "not needed any more")
    assert batch.log(job_id) == ["ready", "checkpoint"]
    assert len(job["attempts"]) == 1


def test_a_command_that_does_not_exist_says_so(batch):
    definition = batch.client.register_job_definition(
        jobDefinitionName="missing",
        type="container",
        containerProperties={"image": "any", "command": ["no-such-program"]},
    )["jobDefinitionArn"]
    job_id = batch.client.submit_job(jobName="missing", jobQueue=QUEUE, jobDefinition=definition)["jobId"]
    job = batch.ended(job_id)
    assert job["status"] == "FAILED"
    assert job["container"]["reason"].startswith("CannotStartContainerError: no-such-program")


def test_every_step_of_a_job_is_an_event(running, batch):
    sqs, events = deploy.client(running.settings, "sqs"), deploy.client(running.settings, "events")
    url = sqs.create_queue(QueueName="probe-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.batch"], "detail-type": ["Batch Job State Change"], "detail": {"jobName": ["probe"]}}
    events.put_rule(Name="probe", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="probe", Targets=[{"Id": "queue", "Arn": arn}])
    job_id = batch.submit("pass")
    batch.ended(job_id)
    received = []

    def all_there():
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            received.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return "SUCCEEDED" in [event["detail"]["status"] for event in received]

    eventually(all_there)
    events.remove_targets(Rule="probe", Ids=["queue"])
    events.delete_rule(Name="probe")
    sqs.delete_queue(QueueUrl=url)
    ours = [event for event in received if event["detail"]["jobId"] == job_id]
    assert [event["detail"]["status"] for event in ours] == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
    last = ours[-1]
    assert last["resources"] == [last["detail"]["jobArn"]]
    assert last["detail"]["container"]["exitCode"] == 0
    assert last["detail"]["attempts"][0]["container"]["logStreamName"]


# --- Crashes and stops ------------------------------------------------------------------------------------------------


def test_a_message_whose_receiver_was_killed_with_the_aws_comes_back_at_once(running):
    sqs = deploy.client(running.settings, "sqs")
    attributes = {"FifoQueue": "true", "VisibilityTimeout": "3600"}
    url = sqs.create_queue(QueueName="probe-flight.fifo", Attributes=attributes)["QueueUrl"]
    for body in ("first", "second"):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="model", MessageDeduplicationId=body)
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"]
    assert [message["Body"] for message in received] == ["first"]
    # What is acknowledged is on disk about a second later.
    time.sleep(2.5)
    os.kill(next(row.pid for row in running.status() if row.name == "aws"), signal.SIGKILL)
    running.up()
    again = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=1)["Messages"]
    assert [message["Body"] for message in again] == ["first"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again[0]["ReceiptHandle"])
    after = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=1)["Messages"]
    assert [message["Body"] for message in after] == ["second"]
    sqs.delete_queue(QueueUrl=url)


@pytest.mark.parametrize("name", ["database", "aws", "tracking"])
def test_up_recovers_what_was_killed(running, name):
    table = deploy.client(running.settings, "dynamodb")
    key = {"key_id": {"S": f"before-{name}"}}
    names = {"TableName": deploy.describe(running.settings).outputs["AccessKeysTableName"]}
    table.put_item(**names, Item={**key, "name": {"S": "x"}})
    # What is acknowledged is on disk about a second later.
    time.sleep(2.5)
    pid = next(row.pid for row in running.status() if row.name == name)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: next(row.state for row in running.status() if row.name == name) == "stopped")
    assert not all(row.healthy for row in running.status())
    api_key = running.env()["MLOPS_API_KEY"]
    assert running.up()["MLOPS_API_KEY"] == api_key
    assert all(row.healthy for row in running.status())
    assert table.get_item(**names, Key=key)["Item"]["name"] == {"S": "x"}
    table.delete_item(**names, Key=key)
    for path in ("/experiments", "/models", "/train/jobs"):
        assert request(running.settings, path, headers={"x-api-key": api_key})[0] == 200


INTERRUPTED = (
    "import os, signal, sys, time;"
    "signal.signal(signal.SIGTERM, lambda *_: (print('checkpoint', flush=True), sys.exit(143)));"
    "print('attempt', os.environ['AWS_BATCH_JOB_ATTEMPT'], flush=True);"
    "time.sleep(60 if os.environ['AWS_BATCH_JOB_ATTEMPT'] == '1' else 0)"
)
ON_INTERRUPTION = {
    "attempts": 2,
    "evaluateOnExit": [
        {"onStatusReason": "Your Spot Task was interrupted*", "action": "RETRY"},
        {"onReason": "*", "action": "EXIT"},
    ],
}


def test_a_job_whose_host_was_killed_runs_again(running, batch):
    job_id = batch.submit(INTERRUPTED, retryStrategy=ON_INTERRUPTION)
    eventually(lambda: batch.job(job_id)["status"] == "RUNNING" and batch.log(job_id))
    os.kill(next(row.pid for row in running.status() if row.name == "aws"), signal.SIGKILL)
    left = [process for process in processes_of(running.settings) if INTERRUPTED in process.cmdline()]
    assert left, "the job outlives the host's process"
    running.up()
    job = batch.ended(job_id)
    assert not [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert job["status"] == "SUCCEEDED"
    assert job["attempts"][0]["statusReason"] == "Your Spot Task was interrupted."
    assert len(job["attempts"]) == 2


def test_down_lets_a_job_checkpoint_and_up_goes_on_with_it(running, batch):
    job_id = batch.submit(INTERRUPTED, retryStrategy=ON_INTERRUPTION)
    eventually(lambda: batch.job(job_id)["status"] == "RUNNING" and batch.log(job_id))
    first = batch.job(job_id)["container"]["logStreamName"]
    assert running.down()
    assert processes_of(running.settings) == []
    running.up()
    job = batch.ended(job_id)
    assert [attempt["container"].get("exitCode") for attempt in job["attempts"]] == [143, 0]
    logs = deploy.client(running.settings, "logs")
    events = logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=first)["events"]
    assert [event["message"] for event in events] == ["attempt 1", "checkpoint"]


def test_down_finds_what_has_no_record_and_may_be_said_twice(running, batch):
    job_id = batch.submit("import time; time.sleep(60)")
    eventually(lambda: batch.job(job_id)["status"] == "RUNNING")
    for record in running.settings.run_dir.glob("*.json"):
        record.unlink()
    assert running.down()
    assert processes_of(running.settings) == []
    assert not running.down()
    assert {row.state for row in running.status()} == {"stopped"}


def test_down_ends_the_jobs_of_a_killed_host(running, batch):
    job_id = batch.submit("import time; time.sleep(60)")
    eventually(lambda: batch.job(job_id)["status"] == "RUNNING")
    os.kill(next(row.pid for row in running.status() if row.name == "aws"), signal.SIGKILL)
    assert running.down()
    assert processes_of(running.settings) == []


# --- When things go wrong ---------------------------------------------------------------------------------------------


def command(settings, *arguments):
    """Run the command line as a user does; returns (exit code, what it printed, what it printed as an error)."""
    done = subprocess.run(
        [sys.executable, "-m", "infra.local", *arguments],
        cwd=ROOT,
        env={**os.environ, **settings.to_environment()},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@pytest.mark.parametrize("variable", ["MLOPS_API_PORT", "MLOPS_TRACKING_PORT", "MLOPS_AWS_PORT"])
def test_a_taken_port_is_named_with_its_variable_and_nothing_is_left(tmp_path, variable):
    settings = free_settings(tmp_path / "local")
    port = settings.ports()[variable]
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        code, _said, error = command(settings, "up")
    assert code == 1
    assert error.startswith(f"error: port {port} ")
    assert variable in error
    assert str(os.getpid()) in error
    assert "\n" not in error
    assert processes_of(settings) == []


def test_a_file_where_the_folder_should_be_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    code, _said, error = command(free_settings(tmp_path / "file" / "local"), "up")
    assert code == 1
    assert "MLOPS_LOCAL_DIR" in error
    assert "\n" not in error


def test_a_second_up_at_the_same_time_says_who_is_first(running):
    from infra.local import folder

    with folder.locked(running.settings, "up"):
        code, _said, error = command(running.settings, "up")
    assert code == 1
    assert error == f"error: another `up` (pid {os.getpid()}) is running: wait for it, or end it"


def test_status_and_logs_say_what_there_is(running):
    code, said, _error = command(running.settings, "status")
    assert code == 0
    assert "healthy" in said
    assert str(running.settings.api_port) in said
    code, said, _error = command(running.settings, "logs", "tracking")
    assert code == 0
    assert "Uvicorn" in said
    code, _said, error = command(running.settings, "logs", "nobody")
    assert code == 1
    assert "choose one of" in error


CHANGED_HANDLER = """

_handler = handler


def handler(event, context):
    answer = _handler(event, context)
    return {**answer, "headers": {**(answer.get("headers") or {}), "x-changed": "yes"}}
"""


@pytest.fixture
def open_folder():
    with tempfile.TemporaryDirectory(prefix="mlops-stack-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder).resolve()


def test_a_deployment_that_fails_says_why_and_the_next_one_works(open_folder):
    """In a folder whose path is longer than a socket's may be."""
    root = open_folder / "checkout"
    root.mkdir()
    for path in ROOT.iterdir():
        if path.name not in ("functions", "template.yaml") and not path.name.startswith("."):
            (root / path.name).symlink_to(path)
    shutil.copytree(ROOT / "functions", root / "functions")
    whole = (ROOT / "template.yaml").read_text()
    broken = """
  Broken:
    Type: AWS::Batch::JobQueue
    Properties: {Priority: 1, ComputeEnvironmentOrder: [{Order: 1, ComputeEnvironment: nowhere}]}
"""
    assert "\nResources:\n" in whole
    (root / "template.yaml").write_text(whole.replace("\nResources:\n", f"\nResources:\n{broken}", 1))
    stack = Stack(free_settings(open_folder / ("long" * 15) / ("folder" * 10) / "local", root=root))
    with pytest.raises(LocalStackError, match=r"Broken \(AWS::Batch::JobQueue\): .*'nowhere' does not exist"):
        stack.up()
    assert processes_of(stack.settings) == []
    (root / "template.yaml").write_text(whole)
    try:
        stack.up()
        assert all(row.healthy for row in stack.status())
        key = {"x-api-key": stack.env()["MLOPS_API_KEY"]}
        assert request(stack.settings, "/experiments", headers=key)[0] == 200
        assert request(stack.settings, "/again")[0] == 404
        # A changed function and a new route, which gives the API a new id: the key goes on working.
        with (root / "functions/portal/portal/app.py").open("a") as file:
            file.write(CHANGED_HANDLER)
        health = "        Health: {Type: Api,"
        again = "        Again: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /again, Method: GET}}\n"
        assert health in whole
        (root / "template.yaml").write_text(whole.replace(health, again + health, 1))
        assert stack.up()["MLOPS_API_KEY"] == key["x-api-key"]
        assert request(stack.settings, "/health")[1]["x-changed"] == "yes"
        assert request(stack.settings, "/again")[0] == 403
        assert request(stack.settings, "/experiments", headers=key)[0] == 200
        # An update that fails leaves what was there, at work.
        (root / "template.yaml").write_text(whole.replace("\nResources:\n", f"\nResources:\n{broken}", 1))
        with pytest.raises(LocalStackError, match=r"UPDATE_ROLLBACK_COMPLETE: Broken \(AWS::Batch::JobQueue\)"):
            stack.up()
        assert request(stack.settings, "/experiments", headers=key)[0] == 200
        assert all(row.healthy for row in stack.status())
        socket_folder = Path(Database(stack.settings).address().host)
        assert not socket_folder.is_relative_to(stack.settings.home)
    finally:
        stack.reset()
    assert processes_of(stack.settings) == []
    assert not stack.settings.home.exists()
    assert not socket_folder.exists()


def test_down_stops_what_a_killed_up_had_started(open_folder):
    settings = free_settings(open_folder / "local")
    command_line = [sys.executable, "-m", "infra.local", "up"]
    environment = {**os.environ, **settings.to_environment()}
    with subprocess.Popen(command_line, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as up:
        records = [settings.run_dir / f"{name}.json" for name in ("aws", "migrate")]
        eventually(lambda: all(record.exists() for record in records))
        up.kill()
    assert processes_of(settings)
    assert Stack(settings).down()
    assert processes_of(settings) == []


def test_old_pythons_are_refused_in_one_line():
    code = (
        "import runpy, sys; sys.version_info = (3, 9, 0, 'final', 0);"
        "runpy.run_module('infra.local', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Python 3.9 cannot run the stack" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
