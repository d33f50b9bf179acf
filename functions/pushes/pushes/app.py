"""The route that takes a version from another stack."""

from fastapi import APIRouter, Request, Response

from mlops.api.auth import require_name
from mlops.api.http import CurrentCaller, lambda_handler
from mlops.api.schemas.pushes import PushRequest, PushState
from mlops.domain.names import ModelName
from pushes.registration import Registrations

router = APIRouter(tags=["models"])


@router.post("/models/{name}/pushes", status_code=202)
def push_version(
    name: ModelName, body: PushRequest, request: Request, response: Response, caller: CurrentCaller
) -> PushState:
    """Register a version of another stack. The gates check it here before it is promoted.

    The first answer is 202 and says where to upload the contents of its files. When all are there, the same request
    registers the version. A version with the same file is not registered twice.
    """
    require_name(caller, name)
    require_name(caller, body.experiment_name, "experiment")
    state = Registrations.from_environment().push(name, body, caller.name, request.scope["aws.context"])
    if state.version is not None:
        response.status_code = 201 if state.created else 200
    return state


handler = lambda_handler(router, changes="train")
