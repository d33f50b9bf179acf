"""The tracking server as a function behind API Gateway."""

import gc
from typing import Any

# What is imported stays, so there is no garbage, and to look for some takes a tenth of the start.
gc.disable()

from mangum import Mangum  # noqa: E402

from tracking import large_files  # noqa: E402
from tracking.server import application  # noqa: E402

large_files.use()
gc.freeze()
gc.enable()

TEXT_TYPES = ["text/", "application/json", "application/javascript", "image/svg+xml"]
_serve = Mangum(application, lifespan="off", text_mime_types=TEXT_TYPES)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an API Gateway event.

    Flask treats a body without Content-Length as empty, so the header is computed from the body.
    """
    body = event.get("body")
    if body and not event.get("isBase64Encoded"):
        event["headers"] = {**(event.get("headers") or {}), "content-length": str(len(body.encode()))}
        event["multiValueHeaders"] = None
    answer: dict[str, Any] = _serve(event, context)
    return answer
