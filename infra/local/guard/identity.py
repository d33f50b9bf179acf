"""Who asks the tracking server: on AWS API Gateway's IAM authorizer says it, here a token that training jobs bring.

The token gives no rights, it takes some away: a job that brings it is limited as on AWS. Jobs run as the stack's own
user, so one that leaves it out is a program of that user like any other.
"""

from __future__ import annotations

from infra.local.guard.asgi import App, Receive, Scope, Send
from infra.local.settings import ACCOUNT

TRAINER_ROLE = "local-trainer"
TRAINER_TOKEN = "training-job"
"""What MLflow's client sends of MLFLOW_TRACKING_TOKEN."""

_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/{TRAINER_ROLE}/job"
_HEADER = (b"authorization", f"Bearer {TRAINER_TOKEN}".encode())


def with_identity(app: App) -> App:
    """`app`, with the identity of a training job where API Gateway would put it."""

    async def identified(scope: Scope, receive: Receive, send: Send) -> None:
        if _HEADER in [(name.lower(), value) for name, value in scope.get("headers", ())]:
            scope = {**scope, "aws.event": {"requestContext": {"identity": {"userArn": _ARN}}}}
        await app(scope, receive, send)

    return identified
