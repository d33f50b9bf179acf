"""What all responses of the API have in common: headers, and the form of errors.

Imports only the standard library, because predict uses it too.
"""

from typing import Any

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "referrer-policy": "no-referrer",
}
NO_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""The content security policy of every response that is not a page."""


def problem(status: int, code: str, title: str, detail: str, request_id: str, **extra: Any) -> dict[str, Any]:
    """Make an RFC 9457 problem document, the form of every error."""
    return {
        "type": f"urn:mlops:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        **extra,
    }
