"""Run MLflow's tracking server: its ASGI app with Mangum in Lambda, and with uvicorn elsewhere.

The server's command would start job runners and several workers, and take four times as long. The app alone reads
private variables of MLflow, which tests/integration/test_tracking.py checks.
"""

import os
from typing import Any

from tracking.access import limit_roles
from tracking.store import store_uri

os.environ |= {
    "_MLFLOW_SERVER_FILE_STORE": store_uri(),
    "_MLFLOW_SERVER_REGISTRY_STORE": store_uri(),
    "_MLFLOW_SERVER_ARTIFACT_ROOT": f"s3://{os.environ['ARTIFACT_BUCKET']}/mlflow",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}

from mangum import Mangum
from mlflow.server.fastapi_app import app as mlflow

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:  # elsewhere answers have no limit
    from tracking import large_files

    large_files.use()

__all__ = ["application", "handler"]

code_roles = [name for name in os.environ.get("CODE_ROLES", "").split(",") if name]
application = limit_roles(mlflow, os.environ["TRAINER_ROLE"], code_roles)
TEXT_TYPES = ["text/", "application/json", "application/javascript", "image/svg+xml"]
_serve = Mangum(application, lifespan="off", text_mime_types=TEXT_TYPES)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an API Gateway event.

    Flask treats a body without Content-Length as empty, so the header is computed from the body.
    """
    body = event.get("body")
    if body and not event.get("isBase64Encoded"):
        event["headers"] = {**(event.get("headers") or {}), "content-length": str(len(body.encode()))}
        event["multiValueHeaders"] = None
    answer: dict[str, Any] = _serve(event, context)
    return answer
