"""What a function says to AWS, written down on the way: (action, resource) as IAM names them, by logical id."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TARGETS = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs", "AWSEvents": "events", "Logs_20140328": "logs"}
BATCH = {each.lower(): each for each in ("SubmitJob", "DescribeJobs", "ListJobs", "TerminateJob", "CancelJob")}
HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass(frozen=True)
class Call:
    """`prefix` is of S3's listings alone."""

    action: str
    resource: str
    prefix: str = ""


@dataclass
class Recorder:
    """A proxy in front of the local AWS, one a function. `logical` is the logical id by physical name."""

    endpoint: str
    logical: Mapping[str, str]
    calls: set[Call] = field(default_factory=set)

    def start(self) -> str:
        recorder = self

        class Passing(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                recorder.calls |= set(
                    calls_of(self.command, self.path, dict(self.headers.items()), body, recorder.logical)
                )
                target = urlsplit(recorder.endpoint)
                connection = HTTPConnection(target.hostname or "", target.port, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
                headers["Content-Length"] = str(len(body))
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)
                connection.close()

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def calls_of(method: str, path: str, headers: dict[str, str], body: bytes, logical: Mapping[str, str]) -> list[Call]:
    """The permissions that one request takes; a transaction takes those of its parts."""
    headers = {name.lower(): value for name, value in headers.items()}
    service, _, operation = headers.get("x-amz-target", "").partition(".")
    if service in TARGETS:
        return _json_calls(TARGETS[service], operation, json.loads(body), logical)
    signed_for = headers.get("authorization", "").partition("Credential=")[2].split(",")[0].split("/")
    name = signed_for[3] if len(signed_for) > 3 else ""
    if name == "batch":
        asked, action = json.loads(body or b"{}"), BATCH[path.rpartition("/")[2]]
        return [Call(f"batch:{action}", each) for each in _batch_resources(action, asked, logical)]
    if name == "s3":
        return _s3_calls(method, path, headers, logical)
    form = parse_qs(body.decode(errors="replace"))
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
    if operation == "BatchGetItem":
        return [Call("dynamodb:BatchGetItem", logical[name]) for name in asked["RequestItems"]]
    if service == "dynamodb":
        index = f"/index/{asked['IndexName']}" if "IndexName" in asked else ""
        return [Call(f"dynamodb:{operation}", logical[asked["TableName"]] + index)]
    if service == "sqs":
        return [Call(f"sqs:{operation}", logical[asked["QueueUrl"]])]
    if service == "logs":
        stream = f"log-group:{asked['logGroupName']}:log-stream:{asked['logStreamName']}"
        return [Call(f"logs:{operation}", stream)]
    buses = {each.get("EventBusName", "default") for each in asked.get("Entries", [])}
    return [Call(f"events:{operation}", f"event-bus/{bus}") for bus in buses]


def _batch_resources(action: str, asked: dict[str, Any], logical: Mapping[str, str]) -> list[str]:
    if action == "SubmitJob":
        return [logical[asked["jobQueue"]], logical[asked["jobDefinition"]]]
    return ["*"] if action in ("DescribeJobs", "ListJobs") else [f"job/{asked['jobId']}"]


def _s3_calls(method: str, path: str, headers: dict[str, str], logical: Mapping[str, str]) -> list[Call]:
    address = urlsplit(path)
    bucket, _, key = unquote(address.path).lstrip("/").partition("/")
    query = parse_qs(address.query, keep_blank_values=True)
    name = logical.get(bucket, bucket)
    if not key:
        return [Call("s3:ListBucket", name, query.get("prefix", [""])[0])]
    tagging = "Tagging" if "tagging" in query else ""
    verb = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject", "POST": "PutObject"}
    calls = [Call(f"s3:{verb[method]}{tagging}", f"{name}/{key}")]
    if copied := unquote(headers.get("x-amz-copy-source", "")).lstrip("/").partition("?")[0]:
        bucket, _, key = copied.partition("/")
        calls.append(Call("s3:GetObject", f"{logical.get(bucket, bucket)}/{key}"))
    return calls
