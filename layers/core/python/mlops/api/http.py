"""Make a Lambda handler from a FastAPI router, with the roles, errors, headers and logging of all functions."""

import re
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import unquote

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter, Depends, FastAPI, Header, Path, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader
from mangum import Mangum
from pydantic import AfterValidator
from starlette.exceptions import HTTPException

from mlops.api.auth import AccessKeys, Caller, Role, authorise
from mlops.api.parameters import MAX_ERRORS, refuse_several, refuse_unknown, repeated
from mlops.api.responses import NO_CONTENT_POLICY, SECURITY_HEADERS, problem
from mlops.domain.errors import (
    DependencyUnavailable,
    NotFound,
    PayloadTooLarge,
    PlatformError,
    ValidationFailed,
    unexpected,
)

MAX_BODY_BYTES = 1_000_000
PROBLEM_JSON = "application/problem+json"
TEXT_TYPES = [
    "text/",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/vnd.api+json",
    PROBLEM_JSON,
    "image/svg+xml",
    "application/openmetrics-text",
]
MAX_ID_BYTES = 1000

logger = Logger()

Event = dict[str, Any]
Handler = Callable[[Event, Any], Any]

_key_header = APIKeyHeader(name="x-api-key", description="The API key", auto_error=False)


def identified_caller(request: Request, _: Annotated[str | None, Depends(_key_header)] = None) -> Caller:
    """Return the caller of a request, whatever the role is.

    Raises:
        Forbidden: The key has no role.
    """
    key_id = request.scope["aws.event"]["requestContext"]["identity"].get("apiKeyId") or ""
    return AccessKeys.from_environment().caller(key_id)


IdentifiedCaller = Annotated[Caller, Depends(identified_caller)]


def current_caller(request: Request, caller: IdentifiedCaller) -> Caller:
    """Return the caller of a request.

    Raises:
        Forbidden: The key has no role, or its role does not allow the method.
    """
    authorise(caller, request.method, request.app.state.changes)
    return caller


async def check_text(request: Request) -> None:
    """Refuse names and ids that cannot be stored: PostgreSQL's text has no NUL, DynamoDB's keys at most 1,024 bytes.

    Raises:
        ValidationFailed: A parameter is not valid. Names it.
    """
    decoded = [(name, unquote(value)) for name, value in request.path_params.items()]  # a PathText is decoded later
    for name, value in (*request.query_params.multi_items(), *decoded):
        if "\0" in value:
            raise ValidationFailed.of_field(repeated(name) or "query", "must not contain the character U+0000")
    for name, value in request.path_params.items():
        if len(value.encode(errors="replace")) > MAX_ID_BYTES:
            raise ValidationFailed.of_field(name, f"must have at most {MAX_ID_BYTES} bytes")


async def check_query(request: Request) -> None:
    """Refuse parameters that the route does not have, or has twice. Raises ValidationFailed, which names them."""
    query = request.query_params
    if not query:
        return
    refuse_several({name: query.getlist(name) for name in query})
    fields = get_flat_params(request.scope["route"].dependant)
    refuse_unknown(query, {field.alias for field in fields if isinstance(field.field_info, Query)})


PathText = Annotated[str, AfterValidator(unquote)]
"""A parameter of the path with any text, also with slashes: `_with_whole_segments` leaves it encoded."""

ExperimentRef = Annotated[PathText, Path(description="Name or id of an experiment; a slash in the name is sent as %2F")]

CurrentCaller = Annotated[Caller, Depends(current_caller)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="A key that you choose for this request. The same request with the same key, within 24 hours, "
        "returns the first response and does nothing else",
    ),
]


def request_id_of(request: Request) -> str:
    """Return API Gateway's id of the request."""
    request_id: str = request.scope["aws.event"]["requestContext"]["requestId"]
    return request_id


def build_app(router: APIRouter, *, public: bool = False, changes: Role = "admin") -> FastAPI:
    """Make the FastAPI application of a router.

    Args:
        router: The routes.
        public: Whether they need no API key.
        changes: The least role that may send requests that change something.
    """
    app = FastAPI(title="mlops", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.changes = changes
    checks = [Depends(check_text)]
    if not public:
        checks = [Depends(current_caller), *checks, Depends(check_query)]
    app.include_router(router, dependencies=checks)
    app.add_exception_handler(PlatformError, _platform_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientError, _aws_error)
    app.add_exception_handler(BotoCoreError, _aws_error)
    app.add_exception_handler(Exception, _unexpected)
    return app


def lambda_handler(
    router: APIRouter, *, public: bool = False, changes: Role = "admin", on_event: Handler | None = None
) -> Handler:
    """Make a Lambda handler. HTTP events go to the router, any other event goes to `on_event`; see `build_app`."""
    # With lifespan="auto" Mangum would run start-up on each request.
    http = Mangum(build_app(router, public=public, changes=changes), lifespan="off", text_mime_types=TEXT_TYPES)

    @logger.inject_lambda_context(clear_state=True)
    def handler(event: Event, context: Any) -> Any:
        if "httpMethod" not in event:
            if on_event is None:
                raise ValueError("this function answers HTTP requests only")
            return on_event(event, context)
        request_id = event["requestContext"]["requestId"]
        logger.append_keys(request_id=request_id)
        try:
            if _body_bytes(event) > MAX_BODY_BYTES:
                raise PayloadTooLarge(MAX_BODY_BYTES, "send less")
            answer = http(_with_whole_segments(_with_json_body(event)), context)
        except PayloadTooLarge as error:
            answer = _answer(error, request_id)
        headers = answer.setdefault("headers", {})
        for name, value in {"content-security-policy": NO_CONTENT_POLICY, **SECURITY_HEADERS}.items():
            headers.setdefault(name, value)
        headers["x-request-id"] = request_id
        logger.info("request", method=event["httpMethod"], path=event["path"], status=answer["statusCode"])
        return answer

    return handler


def _body_bytes(event: Event) -> int:
    """Return the size of the body as the client sent it."""
    body = event.get("body") or ""
    return len(body.rstrip("=")) * 3 // 4 if event.get("isBase64Encoded") else len(body.encode())


def _with_json_body(event: Event) -> Event:
    """Declare the body as JSON, whatever the client's content type is: `curl -d` declares a form."""
    headers = {name: value for name, value in (event.get("headers") or {}).items() if name.lower() != "content-type"}
    return {**event, "headers": {**headers, "content-type": "application/json"}, "multiValueHeaders": None}


def _with_whole_segments(event: Event) -> Event:
    """Keep an encoded slash (and percent sign) encoded when Mangum decodes the path.

    API Gateway matches the path as it was sent, where `a%2Fb` is one segment. Routes match the decoded path, where it
    would be two.
    """
    return {**event, "path": re.sub(r"%(?=2F|25)", "%25", event["path"], flags=re.IGNORECASE)}


def _answer(error: PlatformError, request_id: str) -> dict[str, Any]:
    response = _problem_response(error, request_id)
    return {
        "statusCode": response.status_code,
        "headers": dict(response.headers),
        "body": bytes(response.body).decode(),
        "isBase64Encoded": False,
    }


def _problem_response(error: PlatformError, request_id: str) -> JSONResponse:
    body = problem(error.status, error.code, error.title, error.detail, request_id, **error.extra)
    headers = {"retry-after": str(error.retry_after)} if isinstance(error, DependencyUnavailable) else {}
    return JSONResponse(body, status_code=error.status, headers=headers, media_type=PROBLEM_JSON)


def _platform_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PlatformError)
    if error.status >= 500:
        answer = getattr(error, "message", None)  # text of a dependency, which must not reach the caller
        logger.warning("dependency", code=error.code, cause=repr(error.__cause__), answer=answer)
    return _problem_response(error, request_id_of(request))


def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [(_field(item, error.body), _message(item)) for item in error.errors()]
    return _problem_response(ValidationFailed.of_fields(errors, MAX_ERRORS), request_id_of(request))


def _field(error: dict[str, Any], body: Any) -> str:
    """Return the path of the field of a pydantic error; `body` for the whole body."""
    place, *location = error["loc"]
    if place != "body":
        return ".".join(map(str, location))
    path, value = [], body
    for depth, part in enumerate(location if error["type"] != "json_invalid" else (), 1):
        if (isinstance(value, dict) and part in value) or (isinstance(value, list) and isinstance(part, int)):
            value = value[part]
            path.append(str(part))
        elif error["type"] == "missing" and depth == len(location):
            path.append(str(part))
        # Any other part is pydantic's name of a branch of a union.
    return repeated(".".join(path)) or "body"


def _message(error: dict[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return f"must be JSON: {error['ctx']['error']}"
    return str(error["ctx"]["error"] if error["type"] == "value_error" else error["msg"])


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code in (404, 405):
        return _problem_response(NotFound.of_route(request.method, request.url.path), request_id_of(request))
    if error.status_code == 400:
        # FastAPI's answer if the body is not UTF-8, is nested too deeply, or has a number with thousands of digits.
        wrong = ValidationFailed.of_field(
            "body", "must be JSON in UTF-8, without deep nesting and without numbers with thousands of digits"
        )
        return _problem_response(wrong, request_id_of(request))
    raise error


def _aws_error(request: Request, error: Exception) -> JSONResponse:
    # AWS's message may name resources, so only the log has it.
    logger.warning("aws", error=repr(error))
    unavailable = DependencyUnavailable("An AWS service behind the platform does not answer; try again")
    return _problem_response(unavailable, request_id_of(request))


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    """Answer any other error as a problem document without inner text. Mangum logs the error itself."""
    return _problem_response(unexpected(), request_id_of(request))
