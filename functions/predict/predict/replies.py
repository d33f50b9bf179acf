"""Make responses for API Gateway's proxy integration, with the headers of every route."""

from typing import Any

import orjson

from mlops.api.responses import NO_CONTENT_POLICY, SECURITY_HEADERS, problem
from mlops.domain import errors
from mlops.domain.errors import DependencyUnavailable, PlatformError

HEADERS = {**SECURITY_HEADERS, "content-security-policy": NO_CONTENT_POLICY, "cache-control": "no-store"}
_PREDICTED = {**HEADERS, "content-type": "application/json"}


def ok(body: str, request_id: str, cache: str, staleness: str) -> dict[str, Any]:
    """Answer with a prediction. Its headers have `cache` (hit or miss) and `staleness` (seconds)."""
    return {
        "statusCode": 200,
        "headers": {
            **_PREDICTED,
            "x-request-id": request_id,
            "x-cache": cache,
            "x-model-staleness": staleness,
        },
        "body": body,
        "isBase64Encoded": False,
    }


def found(document: dict[str, Any], request_id: str) -> dict[str, Any]:
    """Answer with what was asked for."""
    return _response(200, document, "application/json", request_id)


def accepted(document: dict[str, Any], request_id: str) -> dict[str, Any]:
    """Answer that the request was queued."""
    return _response(202, document, "application/json", request_id)


def problem_of(error: PlatformError, request_id: str) -> dict[str, Any]:
    """Answer with an error, as an RFC 9457 problem document."""
    document = problem(error.status, error.code, error.title, error.detail, request_id, **error.extra)
    response = _response(error.status, document, "application/problem+json", request_id)
    if isinstance(error, DependencyUnavailable):
        response["headers"]["retry-after"] = str(error.retry_after)
    return response


def unexpected(request_id: str) -> dict[str, Any]:
    """Answer with a fault of the platform, without inner text."""
    return problem_of(errors.unexpected(), request_id)


def _response(status: int, document: dict[str, Any], content_type: str, request_id: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {**HEADERS, "content-type": content_type, "x-request-id": request_id},
        "body": orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY).decode(),
        "isBase64Encoded": False,
    }
