"""Makes a Lambda handler out of a FastAPI router: roles, errors, headers and logging are decided here, once."""

import re
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import unquote

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter, Depends, FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader
from mangum import Mangum
from pydantic import AfterValidator
from starlette.exceptions import HTTPException

from mlops.api.auth import AccessKeys, Caller, authorise
from mlops.api.problems import problem
from mlops.domain.errors import (
    DependencyUnavailable,
    NotFound,
    PayloadTooLarge,
    PlatformError,
    ValidationFailed,
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
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "referrer-policy": "no-referrer",
}
NO_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'"

logger = Logger()

Event = dict[str, Any]
Handler = Callable[[Event, Any], Any]

_key_header = APIKeyHeader(name="x-api-key", description="Your API key", auto_error=False)


def current_caller(request: Request, _: Annotated[str | None, Depends(_key_header)] = None) -> Caller:
    """Whose request it is, checked against the role the method takes. Raises Forbidden."""
    key_id = request.scope["aws.event"]["requestContext"]["identity"].get("apiKeyId") or ""
    caller = AccessKeys.from_environment().caller(key_id)
    authorise(caller, request.method)
    return caller


PathText = Annotated[str, AfterValidator(unquote)]
"""A parameter of the path that may hold any text, a slash included: `_with_whole_segments` leaves it encoded."""

CurrentCaller = Annotated[Caller, Depends(current_caller)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Sent again with the same body within a day, the request is done once and answered alike",
    ),
]


def build_app(router: APIRouter, *, public: bool = False) -> FastAPI:
    """The FastAPI application around a router; `public` routes take no API key."""
    app = FastAPI(title="mlops", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.include_router(router, dependencies=[] if public else [Depends(current_caller)])
    app.add_exception_handler(PlatformError, _platform_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientError, _aws_error)
    app.add_exception_handler(BotoCoreError, _aws_error)
    app.add_exception_handler(Exception, _unexpected)
    return app


def lambda_handler(router: APIRouter, *, public: bool = False, on_event: Handler | None = None) -> Handler:
    """A Lambda handler: HTTP events go to the router, any other event to `on_event`.

    `lifespan="off"`, because "auto" would run start-up on each request.
    """
    http = Mangum(build_app(router, public=public), lifespan="off", text_mime_types=TEXT_TYPES)

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
                raise PayloadTooLarge(f"The body is over {MAX_BODY_BYTES} bytes; send less")
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
    """The size of the body as it was sent."""
    body = event.get("body") or ""
    return len(body.rstrip("=")) * 3 // 4 if event.get("isBase64Encoded") else len(body.encode())


def _with_json_body(event: Event) -> Event:
    """All bodies are JSON, whatever the client calls them: curl's -d, for one, says it sends a form."""
    headers = {name: value for name, value in (event.get("headers") or {}).items() if name.lower() != "content-type"}
    return {**event, "headers": {**headers, "content-type": "application/json"}, "multiValueHeaders": None}


def _with_whole_segments(event: Event) -> Event:
    """Keep an encoded slash (and percent sign) encoded when Mangum decodes the path.

    The gateway matches the path as it was sent, so that `a%2Fb` is one segment. Routes match the decoded path, where it
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


def _request_id(request: Request) -> str:
    request_id: str = request.scope["aws.event"]["requestContext"]["requestId"]
    return request_id


def _platform_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PlatformError)
    if error.status >= 500:
        logger.warning("dependency", code=error.code, cause=repr(error.__cause__), said=getattr(error, "message", None))
    return _problem_response(error, _request_id(request))


def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": ".".join(str(part) for part in item["loc"] if part != "body") or "body", "message": item["msg"]}
        for item in error.errors()
    ]
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors[:5])
    return _problem_response(ValidationFailed(detail, errors=errors), _request_id(request))


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code in (404, 405):
        return _problem_response(NotFound(f"There is no {request.method} {request.url.path}"), _request_id(request))
    raise error


def _aws_error(request: Request, error: Exception) -> JSONResponse:
    # AWS's own message may name resources: it goes to the log, not to the caller.
    logger.warning("aws", error=repr(error))
    unavailable = DependencyUnavailable("An AWS service behind the platform does not answer")
    return _problem_response(unavailable, _request_id(request))


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    """Whatever else happens, the caller gets our shape and no inner text; Mangum logs the error itself."""
    return _problem_response(
        PlatformError("Something went wrong here; the request id is in the logs"), _request_id(request)
    )
