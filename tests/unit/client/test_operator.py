"""What operators do with AWS credentials: keys of one stack, regions, and the way to MLflow."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, get_args

import boto3
import pytest
import urllib3
from moto import mock_aws
from typer.testing import CliRunner

from mlops.domain.access import ACCESS_KEY, Grant, grants_from_json
from mlops_client.cli import app
from mlops_client.errors import BadInput
from mlops_client.operator import aws, datasets, mlflow_proxy
from mlops_client.operator.keys import Keys, Role, UnknownKey


@pytest.fixture
def keys(monkeypatch) -> Iterator[Keys]:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    with mock_aws():
        boto3.client("dynamodb", "eu-west-1").create_table(
            TableName="keys",
            KeySchema=[{"AttributeName": "key_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        plan = boto3.client("apigateway", "eu-west-1").create_usage_plan(name="p")["id"]
        outputs = {"StackName": "mlops-dev", "UsagePlanId": plan, "AccessKeysTableName": "keys"}
        boto3.client("s3", "eu-west-1").create_bucket(
            Bucket="stack", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield Keys({**outputs, "ArtifactBucketName": "stack"})


def granted() -> dict[str, Grant]:
    """The grants that predict reads, by the id of the key."""
    stored = boto3.client("s3", "eu-west-1").get_object(Bucket="stack", Key=ACCESS_KEY)
    return grants_from_json(stored["Body"].read())


def test_a_key_of_another_application_is_not_removed(keys):
    gateway = boto3.client("apigateway", "eu-west-1")
    foreign = gateway.create_api_key(name="other", enabled=True)["id"]
    own, _ = keys.create("alice", "read", "alice")
    with pytest.raises(UnknownKey, match="there is no key with the id"):
        keys.revoke(foreign)
    keys.revoke(own)
    assert [key["id"] for key in gateway.get_api_keys()["items"]] == [foreign]


@pytest.mark.parametrize(("name", "role"), [("a/b", "read"), ("a\x1b[2J", "read"), ("", "read"), ("alice", "owner")])
def test_a_key_whose_name_or_role_is_not_valid_is_not_made(keys, name, role):
    with pytest.raises(BadInput):
        keys.create(name, role, "alice")
    assert keys.all() == []


@pytest.mark.parametrize("models", [[], [""], ["a*b"], ["**"], ["a\n"]])
def test_a_key_for_names_that_no_model_has_is_not_made(keys, models):
    with pytest.raises(BadInput):
        keys.create("alice", "read", "alice", models)
    assert keys.all() == []


@pytest.mark.parametrize("owner", ["", "a/b", "x" * 101])
def test_a_key_without_a_proper_owner_is_not_made(keys, owner):
    with pytest.raises(BadInput, match="owner"):
        keys.create("alice", "read", owner)
    assert keys.all() == []


def test_predict_learns_each_key_that_is_made_rotated_and_removed(keys):
    first, _ = keys.create("alice", "predict", "team", ["churn*", "digits"])
    second, _ = keys.create("bob", "admin", "bob")
    assert granted() == {first: Grant("predict", ("churn*", "digits")), second: Grant("admin")}
    keys.rotate("alice")
    (third,) = granted().keys() - {first, second}
    assert granted()[third] == Grant("predict", ("churn*", "digits"))
    assert {key["owner"] for key in keys.all() if key["name"] == "alice"} == {"team"}, "the owner stays"
    keys.revoke(first)
    assert granted().keys() == {second, third}


def test_personal_keys_keep_their_end_and_are_not_rotated(keys):
    keys.create("ann", "admin", "ann")
    item = {
        "name": "ann@example.com",
        "role": "read",
        "owner": "ann@example.com",
        "models": ["*"],
        "until": 2_000_000_000,
    }
    personal = keys._gateway.create_api_key(name="personal", enabled=True)["id"]
    keys._table.put_item(Item={"key_id": personal, **item})
    keys._gateway.create_usage_plan_key(usagePlanId=keys._plan, keyId=personal, keyType="API_KEY")
    keys.create("bob", "read", "bob")
    assert granted()[personal] == Grant("read", until=2_000_000_000)
    assert [key["until"] for key in keys.all()] == [None, "2033-05-18T03:33:20Z", None]
    with pytest.raises(UnknownKey):
        keys.rotate("ann@example.com")
    keys.revoke(personal)
    assert personal not in granted()


def test_a_key_of_the_version_before_is_for_all_models(keys):
    """The file comes with the first key that is made by this version, and has the earlier ones too."""
    keys._table.put_item(Item={"key_id": "old", "name": "carol", "role": "train"})
    keys.create("alice", "read", "alice")
    assert granted()["old"] == Grant("train")


def test_a_key_that_is_made_at_the_same_time_is_not_lost(keys, monkeypatch):
    grants, first = keys._grants, True
    scan = grants._grants

    def scanned_while_another_is_made():
        nonlocal first
        found = scan()
        if first:
            first = False
            keys._table.put_item(Item={"key_id": "other", "name": "dan", "role": "read"})
            grants.write()
        return found

    monkeypatch.setattr(grants, "_grants", scanned_while_another_is_made)
    mine, _ = keys.create("alice", "read", "alice")
    assert granted().keys() == {"other", mine}


def test_the_roles_are_those_of_the_api():
    from mlops.api import auth as access

    assert set(get_args(Role)) == set(get_args(access.Role))


def test_the_region_is_that_of_aws_region(keys):
    assert aws.session().region_name == "eu-west-1"


@pytest.fixture
def uploaded(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, bytes]]:
    """What is in the stack's bucket: the bytes by key."""
    s3 = boto3.client("s3", "eu-west-1")
    s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    monkeypatch.setattr(aws, "stack_outputs", lambda stack: {"ArtifactBucketName": "artifacts"})

    def contents() -> dict[str, bytes]:
        found = s3.list_objects_v2(Bucket="artifacts").get("Contents", [])
        return {each["Key"]: s3.get_object(Bucket="artifacts", Key=each["Key"])["Body"].read() for each in found}

    return contents


def test_an_uploaded_file_keeps_its_address_and_the_newest_one_has_another(uploaded, tmp_path):
    file, versions = tmp_path / "sales 2026.csv", []
    for content in (b"first", b"second", b"first"):
        file.write_bytes(content)
        versions.append(datasets.upload("mlops-dev", file))
        assert datasets.upload("mlops-dev", file, "sales") == "s3://artifacts/datasets/sales/latest"
        assert uploaded()["datasets/sales/latest"].decode() == versions[-1]
    assert versions[0] == versions[2] != versions[1]
    files = {address.removeprefix("s3://artifacts/") for address in versions}
    assert uploaded().keys() == files | {"datasets/sales/latest"}
    assert {uploaded()[key] for key in files} == {b"first", b"second"}


@pytest.mark.parametrize("name", ["", "a/b", "../x", "-a", "a b", "a\n", "a\x1b[2J", "n" * 101])
def test_a_data_set_whose_name_is_not_valid_is_not_uploaded(uploaded, tmp_path, name):
    (tmp_path / "sales.csv").write_bytes(b"x")
    with pytest.raises(BadInput, match="is not valid"):
        datasets.upload("mlops-dev", tmp_path / "sales.csv", name)
    assert uploaded() == {}


def test_the_command_prints_the_address_of_the_newest_file(uploaded, tmp_path):
    (tmp_path / "sales.csv").write_bytes(b"x")
    answer = CliRunner().invoke(app, ["upload", str(tmp_path / "sales.csv"), "--as", "sales", "--json"])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout) == {"dataset": "s3://artifacts/datasets/sales/latest"}


@pytest.fixture
def tracking() -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    asked: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["accept"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_queries_are_signed_in_the_form_that_aws_expects(tracking):
    target, asked = tracking
    with mlflow_proxy.serving(target, None, 0) as (address, _):
        urllib3.request("GET", f"{address}/search?filter=name+LIKE+'%25a!*()/:,'&order=&x=%7E")
    assert asked[0][0] == "/search?filter=name%20LIKE%20%27%25a%21%2A%28%29%2F%3A%2C%27&order=&x=~"


def test_paths_are_signed_in_the_form_that_aws_expects(tracking):
    """urllib3 writes %2f as %2F after the signature, and AWS encodes what is not a letter, a digit or one of -_.~."""
    target, asked = tracking
    with mlflow_proxy.serving(target, None, 0) as (address, _):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            path = "/a!(b):c/%c3%a9%2fd~e@f%20g"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    assert asked[0][0] == "/a%21%28b%29%3Ac/%C3%A9%2Fd~e%40f%20g"


def test_a_file_that_mlflow_sends_to_s3_for_is_fetched_from_there():
    content = bytes(range(256)) * 20_000
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/get-artifact"):
                self.send_response(307)
                self.send_header("location", f"http://localhost:{self.server.server_port}/bucket/key?signature=1")
                self.send_header("content-length", "0")
                self.end_headers()
                return
            asked.append(dict(self.headers))
            self.send_response(200 if self.path == "/bucket/key?signature=1" else 404)
            self.send_header("content-type", "binary/octet-stream")
            self.send_header("content-length", str(len(content)))
            self.send_header("content-disposition", 'attachment; filename="model.onnx"')
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def signed(method, url, body, headers):
        return {**headers, "authorization": "AWS4-HMAC-SHA256 of the operator"}

    with mlflow_proxy.serving(f"http://127.0.0.1:{server.server_port}", signed, 0) as (address, _):
        answer = urllib3.request("GET", f"{address}/get-artifact?run_uuid=1&path=model.onnx", redirect=False)
    server.shutdown()
    server.server_close()
    assert (answer.status, answer.data) == (200, content)
    assert answer.headers["content-disposition"] == 'attachment; filename="model.onnx"'
    assert "authorization" not in {name.lower() for name in asked[0]}, "the address has its own signature"


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/get-artifact?path=a.png", "application/octet-stream"),
        ("/ajax-api/2.0/mlflow-artifacts/artifacts/model.onnx", "application/octet-stream"),
        ("/static-files/static/media/font.woff2", "application/octet-stream"),
        ("/api/2.0/mlflow/runs/get?run_id=1", "*/*"),
    ],
)
def test_bytes_are_asked_for_as_bytes(tracking, path, accept):
    target, asked = tracking
    with mlflow_proxy.serving(target, None, 0) as (address, _):
        urllib3.request("GET", address + path, headers={"accept": "*/*"})
    assert asked[0][1] == accept


def test_a_negative_length_is_refused_at_once(tracking):
    with mlflow_proxy.serving(tracking[0], None, 0) as (address, _):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(f"POST /x HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: -1\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
