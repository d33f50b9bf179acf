"""Responses in the shape API Gateway's proxy integration takes, with the headers every route answers with."""

from typing import Any

import orjson

from mlops.api.problems import problem
from mlops.domain.errors import DependencyUnavailable, PlatformError

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
"""As `mlops.api.http` sets them; a test compares the two."""


def ok(body: str, request_id: str, cache: str, staleness: str) -> dict[str, Any]:
    """A prediction, with how it came about in the headers: `cache` is hit or miss, `staleness` in seconds."""
    return {
        "statusCode": 200,
        "headers": {
            **SECURITY_HEADERS,
            "content-type": "application/json",
            "x-request-id": request_id,
            "x-cache": cache,
            "x-model-staleness": staleness,
        },
        "body": body,
        "isBase64Encoded": False,
    }


def accepted(document: dict[str, Any], request_id: str) -> dict[str, Any]:
    return _response(202, document, "application/json", request_id)


def problem_of(error: PlatformError, request_id: str) -> dict[str, Any]:
    """An error as an RFC 9457 problem document."""
    document = problem(error.status, error.code, error.title, error.detail, request_id, **error.extra)
    response = _response(error.status, document, "application/problem+json", request_id)
    if isinstance(error, DependencyUnavailable):
        response["headers"]["retry-after"] = str(error.retry_after)
    return response


def unexpected(request_id: str) -> dict[str, Any]:
    """Whatever went wrong, the caller gets the API's shape and no inner text."""
    return problem_of(PlatformError("Something went wrong here; the request id finds it in the logs"), request_id)


def _response(status: int, document: dict[str, Any], content_type: str, request_id: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {**SECURITY_HEADERS, "content-type": content_type, "x-request-id": request_id},
        "body": orjson.dumps(document).decode(),
        "isBase64Encoded": False,
    }
