"""What a training job may ask of the tracking server: record its run, and register the version that it trained.

Which version serves is promotion's to decide, so a job may not move aliases or stages, rename or delete anything, or
change a version that exists. API Gateway tells who asks: IAM has checked the signature. What is compared is the path as
MLflow's router gets it, decoded, with a list of all that a job needs, so another spelling of a path is not on the list.

The policy `TrackingTrainerPolicy` in template.yaml lists the same paths and is the first wall.
"""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
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
"""Method and path of all that a job asks. Paths are exact, in upper and lower case, too."""

FIELDS = {
    # Without `artifact_location`: whoever chooses it has the server read and write elsewhere.
    _API + "experiments/create": frozenset({"name", "tags"}),
    # Without `run_name`: a run keeps its name.
    _API + "runs/update": frozenset({"run_id", "run_uuid", "status", "end_time"}),
}
"""The fields that a body may have, where not all of them are a job's to set."""


def limit_trainer(application: Application, trainer_role: str) -> Application:
    """Refuse with 403 what the role `trainer_role` asks beyond `ALLOWED`; everybody else gets `application`."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not is_role(_user_arn(scope), trainer_role):
            await application(scope, receive, send)
            return
        reason = _refusal(scope)
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
    """Whether an ARN is that of a session of the role: `arn:aws:sts::<account>:assumed-role/<role>/<session>`."""
    kind, _, name = user_arn.partition(":assumed-role/")
    return kind.startswith("arn:") and name.partition("/")[0] == role


def _user_arn(scope: Scope) -> str:
    """Who asks, as API Gateway's IAM authorizer has found out; empty where there is no such gateway."""
    context = scope.get("aws.event", {}).get("requestContext", {})
    return str(context.get("identity", {}).get("userArn") or "")


def _refusal(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope.get("root_path"):
        return "A training job may not open this connection"
    method, path = scope["method"], scope["path"]
    head, _, last = path.rpartition("/")
    pattern = f"{head}/{MODEL_ID}" if _MODEL_ID.fullmatch(last) else path
    if (method, pattern) in ALLOWED:
        return None
    return (
        f"A training job may not {method} {path}: it records its own run and registers the version that it trained. "
        "Moves between stages go through POST /models/transition; all else is an operator's to do"
    )


def _refused_fields(body: bytes, allowed: frozenset[str]) -> str | None:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return "A training job has to send a JSON object"
    if refused := sorted(set(document) - allowed):
        return f"A training job may not set {', '.join(map(repr, refused))}: leave it out"
    return None


async def _read(receive: Receive) -> bytes:
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


def _replay(body: bytes) -> Receive:
    """ASGI's `receive` of a body that was read before."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return receive


async def _refuse(send: Send, reason: str) -> None:
    """403 in the form of MLflow's errors, which its client shows."""
    body = json.dumps({"error_code": "PERMISSION_DENIED", "message": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
