"""Who asks the tracking server: on AWS API Gateway's IAM authorizer says it, here a token that training jobs bring.

The token gives no rights, it takes some away: a job that brings it is limited as on AWS. Jobs run as the stack's own
user, so one that leaves it out is a program of that user like any other.
"""

from __future__ import annotations

from infra.local.guard.asgi import App, Receive, Scope, Send
from infra.local.settings import ACCOUNT

TRAINER_ROLE, CODE_ROLE = "local-trainer", "local-code"
TRAINER_TOKEN, CODE_TOKEN = "training-job", "own-code"
"""What MLflow's client sends of MLFLOW_TRACKING_TOKEN: in training jobs, and in people's own code."""

_ROLES = {f"Bearer {TRAINER_TOKEN}".encode(): TRAINER_ROLE, f"Bearer {CODE_TOKEN}".encode(): CODE_ROLE}


def token_of(job_role: str | None) -> str:
    """The token of a job, by the ARN of its role in the template."""
    return CODE_TOKEN if job_role and "CodeRole" in job_role else TRAINER_TOKEN


def with_identity(app: App) -> App:
    """`app`, with the identity of a training job where API Gateway would put it."""

    async def identified(scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope.get("headers", ()):
            if name.lower() == b"authorization" and (role := _ROLES.get(value)):
                arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/job"
                scope = {**scope, "aws.event": {"requestContext": {"identity": {"userArn": arn}}}}
        await app(scope, receive, send)

    return identified
