"""The tracking API and its function agree on how a body arrives: Flask reads one only when its length is said."""

import base64
import json
import subprocess
import sys

import pytest

from tests.template import reading
from tests.template.reading import Document

# The handler with an application in MLflow's place that answers how long the body was, and how long it was said to be.
# In a process of its own, because of the stand-ins.
PROBE = """
import json, sys, types

async def application(scope, receive, send):
    body = (await receive())["body"]
    said = dict(scope["headers"]).get(b"content-length", b"nothing").decode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": f"{len(body)} {said}".encode()})

for name in ("tracking.rest", "tracking.large_files", "tracking.store"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["tracking.rest"].rest_first = application
sys.modules["tracking.large_files"].use = lambda: None
sys.modules["tracking.store"].store_uri = lambda: "postgresql://"
from tracking.app import handler
print(handler(json.load(sys.stdin), None)["body"])
"""


def binary(types: list[str], content_type: str) -> bool:
    return bool({content_type, "*/*", content_type.partition("/")[0] + "/*"} & set(types))


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_flask_gets_the_body_that_a_client_sent(aws: Document, content_type: str) -> None:
    types = aws["Resources"]["TrackingApi"]["Properties"]["Body"]["x-amazon-apigateway-binary-media-types"]
    body = json.dumps({"filter": "tags.`mlops.job_id` = 'größer'"}, ensure_ascii=False).encode()
    encoded = binary(types, content_type.partition(";")[0])
    event = {
        "resource": "/{proxy+}",
        "path": "/api/2.0/mlflow/runs/search",
        "httpMethod": "POST",
        "headers": {"Content-Type": content_type, "Host": "abc.execute-api.us-east-1.amazonaws.com"},
        "multiValueHeaders": {
            "Content-Type": [content_type],
            "Host": ["abc.execute-api.us-east-1.amazonaws.com"],
        },
        "requestContext": {"stage": "mlflow", "identity": {"sourceIp": "192.0.2.1"}},
        "body": base64.b64encode(body).decode() if encoded else body.decode(),
        "isBase64Encoded": encoded,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        input=json.dumps(event),
        capture_output=True,
        text=True,
        check=True,
        cwd=reading.ROOT / "functions" / "tracking",
        env={"ARTIFACT_BUCKET": "bucket", "TRAINER_ROLE": "trainer", "PATH": ""},
    )
    assert done.stdout.split() == [str(len(body)), str(len(body))]
