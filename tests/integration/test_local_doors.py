"""What a web page, another user of the machine or a stale key could try at the stack's ports, and what has to go on."""

import base64
import datetime
import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import time
import zipfile
from http.client import HTTPConnection
from urllib.parse import urlsplit

import boto3
import pytest
import urllib3
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from infra.local import deploy
from infra.local.environment import read_env, write_env
from infra.local.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ATTACKER = "https://attacker.example"
# What a browser says of a request that a page elsewhere makes without being asked first: a "simple" one.
FROM_A_PAGE = {"Origin": ATTACKER, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
SIMPLE = {"Content-Type": "text/plain"}


def code_that_writes(path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", f"open({str(path)!r}, 'w').close()\ndef handler(event, context): return 1\n")
    return buffer.getvalue()


def create_function(path):
    code = {"ZipFile": base64.b64encode(code_that_writes(path)).decode()}
    role = "arn:aws:iam::000000000000:role/any"
    function = {"FunctionName": "planted", "Runtime": "python3.13", "Handler": "app.handler", "Role": role}
    return "POST", "/2015-03-31/functions", json.dumps({**function, "Code": code})


ATTACKS = {
    "invoke a function": ("POST", "/2015-03-31/functions/planted/invocations", "{}"),
    "register a job": (
        "POST",
        "/v1/registerjobdefinition",
        json.dumps({"jobDefinitionName": "p", "type": "container", "containerProperties": {"command": ["id"]}}),
    ),
    "submit a job": ("POST", "/v1/submitjob", json.dumps({"jobName": "p", "jobQueue": "q", "jobDefinition": "p"})),
    "read the API keys": ("GET", "/apikeys?includeValues=true", None),
    "empty everything": ("POST", "/_ministack/reset", ""),
    "change a setting": ("POST", "/_ministack/config", "{}"),
    "read a function's code": ("GET", "/_ministack/lambda-code/planted", None),
    "list the buckets": ("GET", "/", None),
    "call the API past its port": ("GET", "/restapis/any/local/_user_request_/health", None),
    "list the stacks": ("GET", "/?Action=DescribeStacks&Version=2010-05-15", None),
}


@pytest.fixture
def ask(stack):
    """Ask a port for something, with these headers and no others but Host's; the whole answer."""

    def asked(url, method, path, body=None, headers=()):
        headers = dict(headers)
        connection = HTTPConnection("127.0.0.1", urlsplit(url).port, timeout=120)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", headers.pop("Host", urlsplit(url).netloc))
            for name, value in headers.items():
                connection.putheader(name, value)
            data = (body or "").encode() if not isinstance(body, bytes) else body
            connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        assert not [name for name, _value in answer.getheaders() if name.lower().startswith("access-control-")]
        return answer.status, text.decode(errors="replace")

    return asked


@pytest.fixture
def aws(stack, ask):
    return lambda *arguments: ask(stack.settings.aws_url, *arguments)


@pytest.fixture
def key(stack):
    return Credentials(stack.env["AWS_ACCESS_KEY_ID"], stack.env["AWS_SECRET_ACCESS_KEY"])


def signed(stack, key, method, path, body, service):
    url = stack.settings.aws_url + path
    request = AWSRequest(method=method, url=url, data=body, headers={"Host": urlsplit(url).netloc})
    SigV4Auth(key, service, "us-east-1").add_auth(request)
    return dict(request.headers.items())


def client(stack, service, **changes):
    more = {
        "endpoint_url": stack.env["AWS_ENDPOINT_URL"],
        "region_name": "us-east-1",
        "aws_access_key_id": stack.env["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": stack.env["AWS_SECRET_ACCESS_KEY"],
        "config": Config(retries={"total_max_attempts": 1}),
    }
    return boto3.client(service, **more | changes)


@pytest.fixture
def bucket(stack):
    s3 = client(stack, "s3")
    s3.create_bucket(Bucket="doors")
    yield "doors"
    for item in s3.list_objects_v2(Bucket="doors").get("Contents", []):
        s3.delete_object(Bucket="doors", Key=item["Key"])
    s3.delete_bucket(Bucket="doors")


# --- A page elsewhere -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_page_elsewhere_reaches_nothing(aws, attack):
    method, path, body = ATTACKS[attack]
    status, text = aws(method, path, body, FROM_A_PAGE | SIMPLE)
    assert (status, json.loads(text)["code"]) == (403, "foreign_origin")
    # An old browser says its origin alone, and a page at a foreign name of this machine not even that.
    assert aws(method, path, body, {"Origin": ATTACKER})[0] == 403
    assert aws(method, path, body, {"Host": "attacker.example:8000"})[0] == 403
    assert aws("OPTIONS", path, None, FROM_A_PAGE | {"Access-Control-Request-Method": "POST"})[0] == 403


def test_a_page_plants_no_code(stack, aws, tmp_path):
    planted = tmp_path / "planted"
    method, path, body = create_function(planted)
    for headers in (FROM_A_PAGE | SIMPLE, {"Host": "attacker.example"}, {}):
        assert aws(method, path, body, headers)[0] == 403
    with pytest.raises(ClientError, match="ResourceNotFound"):
        client(stack, "lambda").invoke(FunctionName="planted")
    assert not planted.exists()


def test_even_a_signed_request_of_a_page_elsewhere_is_refused(stack, aws, key):
    headers = signed(stack, key, "GET", "/apikeys?includeValues=true", b"", "apigateway")
    assert aws("GET", "/apikeys?includeValues=true", None, headers)[0] == 200
    assert aws("GET", "/apikeys?includeValues=true", None, headers | FROM_A_PAGE)[0] == 403


@pytest.mark.parametrize(
    "other", [{"Origin": "http://localhost:1"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}]
)
def test_a_page_of_another_server_of_this_machine_is_a_page_elsewhere(stack, ask, other):
    for url in (stack.settings.aws_url, stack.settings.api_url, stack.settings.tracking_url):
        assert ask(url, "POST", "/health", "", other)[0] == 403
        assert ask(url, "GET", "/health", None, other)[0] == 403


def test_the_api_takes_programs_and_its_own_console(stack, ask):
    url = stack.settings.api_url
    with_key = {"x-api-key": stack.api_key}
    own = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
    assert ask(url, "GET", "/train/jobs", None, with_key)[0] == 200
    assert ask(url, "GET", "/train/jobs", None, with_key | own)[0] == 200
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert ask(url, "GET", "/docs", None, visit)[0] == 200
    assert ask(url, "GET", "/train/jobs", None, with_key | FROM_A_PAGE)[0] == 403
    assert ask(url, "GET", "/train/jobs", None, with_key | {"Host": "attacker.example"})[0] == 403


def test_mlflow_takes_programs_and_its_own_pages(stack, ask):
    url = stack.settings.tracking_url
    search = "POST", "/api/2.0/mlflow/experiments/search", json.dumps({"max_results": 1})
    json_ = {"Content-Type": "application/json"}
    assert ask(url, *search, json_)[0] == 200
    assert ask(url, *search, json_ | {"Origin": url, "Sec-Fetch-Site": "same-origin"})[0] == 200
    assert ask(url, "GET", "/", None)[0] == 200
    # MLflow itself lets these pass: a page of another port, and routes outside /api.
    assert ask(url, *search, json_ | {"Origin": "http://localhost:1"})[0] == 403
    assert ask(url, "POST", "/graphql", "{}", json_ | {"Origin": ATTACKER})[0] == 403
    assert ask(url, "GET", "/version", None, {"Host": "attacker.example"})[0] == 403


# --- Another user of the machine --------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_request_without_a_key_reaches_nothing(aws, attack):
    assert aws(*ATTACKS[attack])[0] == 403
    for key_id in ("test", "000000000000"):
        scope = f"{key_id}/{datetime.datetime.now(datetime.UTC):%Y%m%d}/us-east-1/s3/aws4_request"
        invented = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
        assert aws(*ATTACKS[attack], {"Authorization": invented})[0] == 403


AS_SOMEBODY_ELSE = """
import encodings.idna, os, sys, urllib.error, urllib.request  # all as root, who may enter this Python's folder
os.setgid(65534); os.setuid(65534)
try:
    print(urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers={"X-Forwarded-For": "127.0.0.1"})).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells whose a connection is")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_mlflow_is_its_owners(stack):
    """It has no login; with it one could write files as its owner."""
    url = f"http://127.0.0.1:{stack.settings.tracking_port}/version"
    said = subprocess.run([sys.executable, "-c", AS_SOMEBODY_ELSE, url], capture_output=True, text=True, timeout=120)
    assert said.stdout.strip() == "403", said.stderr
    assert urllib3.request("GET", url).status == 200


@pytest.mark.parametrize(("method", "path"), [("POST", "/_ministack/reset"), ("POST", "/_ministack/config")])
def test_the_emulators_switches_are_closed_to_the_key_too(stack, aws, key, method, path):
    status, text = aws(method, path, "{}", signed(stack, key, method, path, b"{}", "s3"))
    assert status == 403
    assert "closed" in text
    assert aws("GET", "/_ministack/health")[0] == 200
    assert aws("GET", "/_ministack/ready")[0] == 403
    assert deploy.describe(stack.settings) is not None


@pytest.mark.parametrize("service", ["s3", "dynamodb", "sqs", "cloudformation", "batch", "lambda", "apigateway"])
def test_another_secret_is_refused_in_words_that_clients_show(stack, service):
    calls = {
        "s3": "list_buckets",
        "dynamodb": "list_tables",
        "sqs": "list_queues",
        "cloudformation": "list_stacks",
        "batch": "describe_job_queues",
        "lambda": "list_functions",
        "apigateway": "get_rest_apis",
    }
    getattr(client(stack, service), calls[service])()
    for changes, code in (
        ({"aws_secret_access_key": "wrong"}, "SignatureDoesNotMatch"),
        ({"aws_access_key_id": "test"}, "InvalidAccessKeyId" if service == "s3" else "InvalidClientTokenId"),
    ):
        with pytest.raises(ClientError) as caught:
            getattr(client(stack, service, **changes), calls[service])()
        error = caught.value.response
        assert (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]) == (403, code)
        assert ".local/env" in error["Error"]["Message"]


def test_a_body_that_was_changed_on_the_way_is_refused(stack, aws, key, bucket):
    s3 = client(stack, "s3")
    body = b'{"name": "a"}'
    job = signed(stack, key, "POST", "/v1/describejobqueues", b"{}", "batch")
    assert aws("POST", "/v1/describejobqueues", b"{}", job)[0] == 200
    assert aws("POST", "/v1/describejobqueues", b'{"maxResults": 1}', job)[0] == 403
    request = AWSRequest(method="PUT", url=f"{stack.settings.aws_url}/{bucket}/k", data=body)
    S3SigV4Auth(key, "s3", "us-east-1").add_auth(request)
    status, text = aws("PUT", f"/{bucket}/k", body + b" ", dict(request.headers.items()))
    assert (status, "XAmzContentSHA256Mismatch" in text) == (403, True)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert aws("PUT", f"/{bucket}/k", body, dict(request.headers.items()))[0] == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_addresses_work_for_their_time_and_their_object(stack, bucket, version):
    s3 = client(stack, "s3", config=Config(signature_version=version))
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "ä b"}, ExpiresIn=60)
    get = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "ä b"}, ExpiresIn=60)
    short = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "ä b"}, ExpiresIn=1)
    http = urllib3.PoolManager(retries=False)
    assert http.request("PUT", put, body=b"data").status == 200
    assert http.request("GET", get).data == b"data"
    assert http.request("GET", put).status == 403
    assert http.request("PUT", get, body=b"x").status == 403
    assert http.request("GET", get.replace(f"/{bucket}/", f"/{bucket}/other")).status == 403
    assert http.request("GET", get + "&Action=ListStacks").status == 403
    assert http.request("GET", get, headers={"Origin": ATTACKER}).status == 403
    time.sleep(2.1)
    expired = http.request("GET", short)
    assert (expired.status, b"expired" in expired.data) == (403, True)
    assert http.request("GET", get).data == b"data"


def test_large_objects_pass_whole(stack, bucket, tmp_path):
    """Above eight megabytes boto3 sends parts; the body of each is hashed on its way."""
    file = tmp_path / "large"
    file.write_bytes(os.urandom(20 * 1024 * 1024))
    s3 = client(stack, "s3")
    s3.upload_file(str(file), bucket, "large")
    s3.put_object(Bucket=bucket, Key="whole", Body=file.read_bytes())
    for key in ("large", "whole"):
        found = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        assert hashlib.sha256(found).digest() == hashlib.sha256(file.read_bytes()).digest()


def test_a_function_has_the_key_and_acts_with_it(stack):
    """As the platform's own do: it reads the AWS it runs in."""
    code = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    account = boto3.client('sts').get_caller_identity()['Account']\n"
        "    return [account, len(boto3.client('lambda').list_functions()['Functions'])]\n"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", code)
    lambdas = client(stack, "lambda")
    lambdas.create_function(
        FunctionName="honest",
        Runtime="python3.13",
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/any",
        Code={"ZipFile": buffer.getvalue()},
    )
    try:
        account, functions = json.loads(lambdas.invoke(FunctionName="honest")["Payload"].read())
    finally:
        lambdas.delete_function(FunctionName="honest")
    assert account == "000000000000"
    assert functions > 5


def test_what_the_stack_writes_is_its_owners(stack):
    assert stat.S_IMODE(stack.settings.env_file.stat().st_mode) == 0o600
    for folder in (stack.settings.aws_dir, stack.settings.log_dir, stack.settings.aws_tmp_dir):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    secret = stack.env["AWS_SECRET_ACCESS_KEY"]
    assert not [log for log in stack.settings.log_dir.iterdir() if secret in log.read_text(errors="replace")]


# --- The version before -----------------------------------------------------------------------------------------------


def test_a_stack_of_the_version_before_comes_up_with_a_key_and_its_state(make_settings):
    settings = make_settings()
    upgraded = Stack(settings, say=lambda text: None)
    before = upgraded.up()
    s3 = deploy.client(settings, "s3")
    name = deploy.describe(settings).outputs["ArtifactBucketName"]
    s3.put_object(Bucket=name, Key="datasets/kept", Body=b"kept")
    time.sleep(2.5)  # what is acknowledged is on disk about a second later
    write_env(settings.env_file, before | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"})
    settings.log_dir.chmod(0o755)
    after = upgraded.up()
    assert after["MLOPS_API_KEY"] == before["MLOPS_API_KEY"]
    assert after["AWS_SECRET_ACCESS_KEY"] not in ("test", before["AWS_SECRET_ACCESS_KEY"])
    assert read_env(settings.env_file) == after
    assert deploy.client(settings, "s3").get_object(Bucket=name, Key="datasets/kept")["Body"].read() == b"kept"
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        s3.list_buckets()
    assert all(row.healthy for row in upgraded.status())
    assert stat.S_IMODE(settings.log_dir.stat().st_mode) == 0o700
    upgraded.down()
