"""The routes that clients of other platforms use, and the contract: what a model takes."""

from collections.abc import Callable

from mlops.domain.errors import NotFound
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
    if "{name}" in resource:
        permit(call.grant, call.model_name)
    return route(call)
