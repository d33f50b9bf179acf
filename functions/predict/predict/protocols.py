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
    if resource != "/v2/health/live":  # which says that the server is there, whatever S3 does
        _check(call, resource)
    return route(call)


def _check(call: Call, resource: str) -> None:
    """Check that the key may ask, and ask this model. Raises Forbidden, DependencyUnavailable, ValidationFailed."""
    try:
        grant = call.grant(call.event)
        if "{name}" in resource:
            permit(grant, call.model_name)
    except PlatformError as error:
        if resource.startswith("/v2"):  # the field that clients of this protocol show
            error.extra["error"] = error.detail
        raise
