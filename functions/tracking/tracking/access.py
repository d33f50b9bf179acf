"""Limit what jobs and notebooks may do in the tracking server: record runs, and register versions.

Only promotion decides which version serves. So they must not move aliases or stages, rename or delete anything, or
change an existing version. API Gateway's event names the caller, whose signature IAM has verified. The decoded path, as
MLflow's router gets it, is compared with a list of all that such a caller needs, so other spellings of a path are
refused.

Before that, the policies `TrackingTrainerPolicy`, `TrackingCodePolicy` and `NotebookPolicy` in template.yaml allow the
same paths only.
"""

import json
import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, Protocol

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Application(Protocol):
    """An ASGI application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


MODEL_ID = "{model_id}"
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
_API = "/api/2.0/mlflow/"
ALLOWED = frozenset(
    (method, _API + path)
    for method, path in (
        ("GET", "experiments/get-by-name"),
        ("POST", "experiments/create"),
        ("POST", "runs/create"),
        ("GET", "runs/get"),
        ("POST", "runs/search"),
        ("POST", "runs/update"),
        ("POST", "runs/log-batch"),
        ("POST", "runs/log-inputs"),
        ("POST", "runs/outputs"),
        ("POST", "runs/set-tag"),
        ("GET", "metrics/get-history"),
        ("POST", "logged-models"),
        ("GET", f"logged-models/{MODEL_ID}"),
        ("PATCH", f"logged-models/{MODEL_ID}"),
        ("POST", "registered-models/create"),
        ("GET", "model-versions/search"),
        ("POST", "model-versions/create"),
    )
)
"""Methods and paths that a training job needs. Paths have to match exactly, also in upper and lower case."""

CODE_ALLOWED = ALLOWED | frozenset(
    (method, _API + path)
    for method, path in (
        ("GET", "experiments/get"),
        ("POST", "experiments/search"),
        ("POST", "runs/log-metric"),
        ("POST", "runs/log-parameter"),
        ("POST", "runs/log-model"),
        ("POST", "runs/delete-tag"),
        ("GET", "artifacts/list"),
        ("POST", "logged-models/search"),
        ("POST", f"logged-models/{MODEL_ID}/params"),
        ("PATCH", f"logged-models/{MODEL_ID}/tags"),
        ("GET", "registered-models/get"),
        ("GET", "model-versions/get"),
        ("GET", "model-versions/get-download-uri"),
    )
)
"""What people's own code needs, as a job or in a notebook: that, and what MLflow's client asks for a script."""

FIELDS = {
    # Without `artifact_location`: with it, the server would read and write at any address.
    _API + "experiments/create": frozenset({"name", "tags"}),
    # Without `run_name`: a run keeps its name.
    _API + "runs/update": frozenset({"run_id", "run_uuid", "status", "end_time"}),
}
"""Fields that a job may send, for paths whose other fields it must not set."""

Paths = frozenset[tuple[str, str]]


def limit_roles(application: Application, trainer_role: str, code_roles: Collection[str] = ()) -> Application:
    """Wrap `application`: requests of jobs and notebooks that are not in the list of their role are refused with 403.

    Args:
        application: The tracking server.
        trainer_role: The role of training jobs, which may ask for `ALLOWED`.
        code_roles: Those of people's own code and of notebooks, which may ask for `CODE_ALLOWED`.
    """

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        allowed = _allowed(_user_arn(scope), trainer_role, code_roles) if scope["type"] != "lifespan" else None
        if allowed is None:
            await application(scope, receive, send)
            return
        reason = _refusal(scope, allowed)
        if reason is None and (fields := FIELDS.get(scope["path"])) is not None:
            body = await _read(receive)
            reason = _refused_fields(body, fields)
            receive = _replay(body)
        if reason is None:
            await application(scope, receive, send)
        else:
            await _refuse(send, reason)

    return limited


def is_role(user_arn: str, role: str) -> bool:
    """Return whether an ARN is a session of the role: `arn:aws:sts::<account>:assumed-role/<role>/<session>`."""
    kind, _, name = user_arn.partition(":assumed-role/")
    return kind.startswith("arn:") and name.partition("/")[0] == role


def _allowed(user_arn: str, trainer_role: str, code_roles: Collection[str]) -> Paths | None:
    """Return what a caller may ask for; None if it is neither a job nor a notebook."""
    if is_role(user_arn, trainer_role):
        return ALLOWED
    return CODE_ALLOWED if any(is_role(user_arn, role) for role in code_roles) else None


def _user_arn(scope: Scope) -> str:
    """Return the caller's ARN from API Gateway's IAM authorizer; empty without one."""
    context = scope.get("aws.event", {}).get("requestContext", {})
    return str(context.get("identity", {}).get("userArn") or "")


def _refusal(scope: Scope, allowed: Paths) -> str | None:
    if scope["type"] != "http" or scope.get("root_path"):
        return "Jobs and notebooks must not open this connection"
    method, path = scope["method"], scope["path"]
    pattern = "/".join(MODEL_ID if _MODEL_ID.fullmatch(part) else part for part in path.split("/"))
    if (method, pattern) in allowed:
        return None
    return (
        f"Jobs and notebooks must not send {method} {path}: they may only record runs and register versions. To move a "
        "version to a stage, use POST /models/transition; ask an operator for anything else"
    )


def _refused_fields(body: bytes, allowed: frozenset[str]) -> str | None:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return "Jobs and notebooks must send a JSON object"
    if refused := sorted(set(document) - allowed):
        return f"Jobs and notebooks must not set {', '.join(map(repr, refused))}: leave it out"
    return None


async def _read(receive: Receive) -> bytes:
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


def _replay(body: bytes) -> Receive:
    """Return ASGI's `receive` for a body that was read already."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return receive


async def _refuse(send: Send, reason: str) -> None:
    """Answer 403 in the form of MLflow's errors, which its client shows."""
    body = json.dumps({"error_code": "PERMISSION_DENIED", "message": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
