"""MLflow's tracking server as an ASGI application, with what the roles of jobs may ask of it.

The server's command would start job runners and several workers, and take four times as long. The app alone reads
private variables of MLflow, which tests/unit/tracking/test_rest.py checks.
"""

import os

from tracking.access import limit_roles
from tracking.store import store_uri

os.environ |= {
    "_MLFLOW_SERVER_FILE_STORE": store_uri(),
    "_MLFLOW_SERVER_REGISTRY_STORE": store_uri(),
    "_MLFLOW_SERVER_ARTIFACT_ROOT": f"s3://{os.environ['ARTIFACT_BUCKET']}/mlflow",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}

from tracking.rest import rest_first

__all__ = ["application"]

code_roles = [name for name in os.environ.get("CODE_ROLES", "").split(",") if name]
application = limit_roles(rest_first, os.environ["TRAINER_ROLE"], code_roles)
