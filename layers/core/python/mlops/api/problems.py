"""The shape of every error body. Imports nothing but the standard library, because predict answers with it too."""

from typing import Any


def problem(status: int, code: str, title: str, detail: str, request_id: str, **extra: Any) -> dict[str, Any]:
    """An RFC 9457 problem document, the one shape of every error body."""
    return {
        "type": f"urn:mlops:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        **extra,
    }
