"""What a role says to AWS, written down on the way: (action, resource) as IAM names them, by logical id."""

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import unescape
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TARGETS = {
    "DynamoDB_20120810": "dynamodb",
    "AmazonSQS": "sqs",
    "AmazonSSM": "ssm",
    "AWSEvents": "events",
    "Logs_20140328": "logs",
}
BATCH = {each.lower(): each for each in ("SubmitJob", "DescribeJobs", "ListJobs", "TerminateJob", "CancelJob")}
HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass(frozen=True)
class Call:
    """`prefix` is of S3's listings alone."""

    action: str
    resource: str
    prefix: str = ""


@dataclass(frozen=True)
class Request:
    """An HTTP request; header names are lower-case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Read = Callable[[Request], list[Call]]


@dataclass
class Recorder:
    """A proxy in front of `endpoint`, one a role. What needs an action of `refused` is not passed on."""

    endpoint: str
    read: Read
    calls: set[Call] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    def start(self) -> str:
        """Listen; the address to talk to."""
        recorder = self

        class Passing(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(
                    self.command, self.path, headers, self.rfile.read(int(headers.get("content-length") or 0))
                )
                calls = recorder.read(request)
                recorder.calls |= set(calls)
                if recorder.refused & {each.action for each in calls}:
                    self.answer(403, [("x-amzn-errortype", "AccessDeniedException")], b'{"message":"refused"}')
                else:
                    self.answer(*_passed_on(recorder.endpoint, request))

            def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = do

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _passed_on(endpoint: str, request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
    target = urlsplit(endpoint)
    connection = HTTPConnection(target.hostname or "", target.port, timeout=120)
    headers = {name: value for name, value in request.headers.items() if name not in HOP}
    try:
        connection.request(
            request.method, request.path, request.body, {**headers, "content-length": str(len(request.body))}
        )
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


def tracking_calls(request: Request) -> list[Call]:
    """What API Gateway's IAM authorisation asks of a request to the tracking server."""
    return [Call("execute-api:Invoke", f"TrackingApi/mlflow/{request.method}{urlsplit(request.path).path}")]


def signed_tracking_calls(request: Request) -> list[Call]:
    """As `tracking_calls`; a look that is not signed is refused by API Gateway and asks for no permission."""
    return tracking_calls(request) if "/execute-api/" in request.headers.get("authorization", "") else []


def aws_calls(request: Request, logical: Mapping[str, str]) -> list[Call]:
    """The permissions that one request takes; a transaction takes those of its parts.

    `logical` is the logical id by physical name.
    """
    service, _, operation = request.headers.get("x-amz-target", "").partition(".")
    if service in TARGETS:
        return _json_calls(TARGETS[service], operation, json.loads(request.body), logical)
    # Of an address that was signed for somebody else, the credential is in the query.
    in_query = parse_qs(urlsplit(request.path).query).get("X-Amz-Credential", [""])[0]
    in_header = request.headers.get("authorization", "").partition("Credential=")[2].split(",")[0]
    signed_for = (in_header or in_query).split("/")
    name = signed_for[3] if len(signed_for) > 3 else ""
    if name == "batch":
        asked, action = json.loads(request.body or b"{}"), BATCH[request.path.rpartition("/")[2]]
        return [Call(f"batch:{action}", each) for each in _batch_resources(action, asked, logical)]
    if name == "s3":
        return _s3_calls(request, logical)
    if name == "apigateway":
        path = "/".join(logical.get(part, part) for part in urlsplit(request.path).path.split("/"))
        return [Call(f"apigateway:{request.method}", path)]
    form = parse_qs(request.body.decode(errors="replace"))
    resource = form.get("TopicArn", form.get("StackName", ["*"]))[0]
    return [Call(f"{name}:{form['Action'][0]}", logical.get(resource, resource))]


def _json_calls(service: str, operation: str, asked: dict[str, Any], logical: Mapping[str, str]) -> list[Call]:
    if operation == "TransactWriteItems":
        kinds = {
            "Put": "PutItem",
            "Update": "UpdateItem",
            "Delete": "DeleteItem",
            "ConditionCheck": "ConditionCheckItem",
        }
        parts = [(kinds[kind], each) for item in asked["TransactItems"] for kind, each in item.items()]
        return [Call(f"dynamodb:{action}", logical[each["TableName"]]) for action, each in parts]
    if operation in ("BatchGetItem", "BatchWriteItem"):
        return [Call(f"dynamodb:{operation}", logical[name]) for name in asked["RequestItems"]]
    if service == "dynamodb":
        index = f"/index/{asked['IndexName']}" if "IndexName" in asked else ""
        return [Call(f"dynamodb:{operation}", logical[asked["TableName"]] + index)]
    if service == "sqs":
        return [Call(f"sqs:{operation}", logical[asked["QueueUrl"]])]
    if service == "ssm":
        names = asked["Names"] if "Names" in asked else [asked["Name"]]
        # They begin with the stack's name.
        return [Call(f"ssm:{operation}", f"parameter/StackName/{name.split('/', 2)[2]}") for name in names]
    if service == "logs":
        group = logical.get(asked["logGroupName"], asked["logGroupName"])
        stream = f":log-stream:{asked['logStreamName']}" if "logStreamName" in asked else ""
        return [Call(f"logs:{operation}", f"log-group:{group}{stream}")]
    buses = {each.get("EventBusName", "default") for each in asked.get("Entries", [])}
    return [Call(f"events:{operation}", f"event-bus/{bus}") for bus in buses]


def _batch_resources(action: str, asked: dict[str, Any], logical: Mapping[str, str]) -> list[str]:
    if action == "SubmitJob":
        definition = asked["jobDefinition"]
        revision = definition.rpartition(":")[2]
        return [logical[asked["jobQueue"]], f"{logical[definition]}:{revision}"]
    return ["*"] if action in ("DescribeJobs", "ListJobs") else [f"job/{asked['jobId']}"]


def _s3_calls(request: Request, logical: Mapping[str, str]) -> list[Call]:
    address = urlsplit(request.path)
    bucket, _, key = unquote(address.path).lstrip("/").partition("/")
    query = parse_qs(address.query, keep_blank_values=True)
    name = logical.get(bucket, bucket)
    if "delete" in query:  # of many objects, which are in the body
        found = re.findall(r"<Key>(.*?)</Key>(?:<VersionId>(.*?)</VersionId>)?", request.body.decode())
        return [
            Call(f"s3:DeleteObject{'Version' if version else ''}", f"{name}/{unescape(one)}") for one, version in found
        ]
    if not key:
        action = "s3:ListBucketVersions" if "versions" in query else "s3:ListBucket"
        return [Call(action, name, query.get("prefix", [""])[0])]
    what = "Tagging" if "tagging" in query else "Version" if "versionId" in query else ""
    verb = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject", "POST": "PutObject"}
    calls = [Call(f"s3:{verb[request.method]}{what}", f"{name}/{key}")]
    if copied := unquote(request.headers.get("x-amz-copy-source", "")).lstrip("/").partition("?")[0]:
        bucket, _, key = copied.partition("/")
        calls.append(Call("s3:GetObject", f"{logical.get(bucket, bucket)}/{key}"))
    return calls


class Logins:
    """A way to PostgreSQL's Unix socket that notes as whom one logs in: on AWS that takes rds-db:connect."""

    ENCRYPTION_REQUESTS = (80877103, 80877104)
    """TLS and GSSAPI, which a client may ask for before it says who it is."""

    def __init__(self, target: Path, folder: Path) -> None:
        """`target` is the server's folder, `folder` the one to name as host instead."""
        self.calls: set[Call] = set()
        name = ".s.PGSQL.5432"
        self._target = str(target / name)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / name))
        self._listening.listen(64)
        folder.chmod(0o755)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._lead, args=(client,), daemon=True).start()

    def _lead(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            first = self._startup(client)
            words = first[8:].decode().split("\0")
            self.calls.add(Call("rds-db:connect", f"dbuser:Id/{words[words.index('user') + 1]}"))
            server.connect(self._target)
            server.sendall(first)
            back = threading.Thread(target=_pour, args=(server, client), daemon=True)
            back.start()
            _pour(client, server)
            back.join(5)

    def _startup(self, client: socket.socket) -> bytes:
        while True:
            head = client.recv(8, socket.MSG_WAITALL)
            length, code = struct.unpack("!ii", head)
            if code not in self.ENCRYPTION_REQUESTS:
                return head + client.recv(length - 8, socket.MSG_WAITALL)
            client.sendall(b"N")


def _pour(source: socket.socket, target: socket.socket) -> None:
    try:
        while content := source.recv(65536):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
