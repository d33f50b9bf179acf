"""The routes that clients of other platforms use, and the contract: what a model takes."""

from collections.abc import Callable

from mlops.domain.errors import NotFound, PlatformError
from predict import contracts, invocations, open_inference
from predict.access import permit
from predict.called import Call, Response

ROUTES: dict[tuple[str, str], Callable[[Call], Response]] = {
    ("GET", "/models/{name}/contract"): contracts.contract,
    ("GET", "/models/{name}/ping"): invocations.ping,
    ("POST", "/models/{name}/invocations"): invocations.invoke,
    **open_inference.ROUTES,
}


def answer(call: Call, method: str, resource: str) -> Response:
    """Answer a request of a protocol.

    Raises:
        PlatformError: The request cannot be answered.
    """
    route = ROUTES.get((method, resource))
    if route is None:
        raise NotFound.of_route(method, call.event["path"])
    try:
        if resource != open_inference.LIVE:  # a process is alive whether or not it can read what keys may do
            grant = call.grant_of(call.event)
            if "{name}" in resource:
                permit(grant, call.model_name)
        return route(call)
    except PlatformError as error:
        if (method, resource) in open_inference.ROUTES:
            error.extra["error"] = error.detail  # clients of that protocol show this field
        raise
