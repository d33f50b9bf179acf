"""The routes about the platform itself: health, readiness, the API's documentation, the web console, and the key."""

import importlib.util
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Response
from fastapi.responses import FileResponse, HTMLResponse

from mlops import __version__
from mlops.api.http import IdentifiedCaller, lambda_handler
from mlops.api.schemas.platform import Health, Me, Ready
from mlops.domain.timestamps import from_milliseconds
from portal.console_files import PAGE, console_file
from portal.readiness import Readiness

router = APIRouter()
HERE = Path(__file__).parent
PAGES = HERE / "pages"
# Swagger UI comes from a pinned package and this function serves it: no page loads anything from another host.
SWAGGER = Path(str(importlib.util.find_spec("fastapi_offline").origin)).parent / "static"  # type: ignore[union-attr]
# Swagger UI sets style attributes, and its icons are data: addresses. Scripts come from files only.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
DOCS_FILES = {
    "swagger-ui-bundle.js": (SWAGGER, "application/javascript"),
    "swagger-ui.css": (SWAGGER, "text/css"),
    "start.js": (PAGES, "application/javascript"),
}


@router.get("/health", tags=["platform"])
def health() -> Health:
    """Check that the API answers. The services behind it are not checked."""
    return Health(status="ok", version=__version__)


@router.get("/ready", tags=["platform"])
def ready(response: Response) -> Ready:
    """Check the services behind the API: DynamoDB, S3 and MLflow. The status is 503 if one does not answer."""
    state = Readiness.from_environment().check()
    if state.status != "ready":
        response.status_code = 503
        response.headers["retry-after"] = "10"
    return state


@router.get("/me", tags=["platform"])
def me(caller: IdentifiedCaller) -> Me:
    """Get what your key may do, for which models, and until when. Every key may ask this."""
    return Me(
        name=caller.name,
        owner=caller.owner,
        role=caller.role,
        models=list(caller.models),
        until=None if caller.until is None else from_milliseconds(caller.until * 1000),
        mlflow_url=_open_to_browsers(os.environ.get("MLFLOW_TRACKING_URI", "")),
    )


@router.get("/openapi.json", include_in_schema=False)
def openapi() -> Response:
    return FileResponse(HERE / "openapi.json", media_type="application/json")


@router.get("/docs", include_in_schema=False)
def docs() -> HTMLResponse:
    headers = {"content-security-policy": DOCS_POLICY}
    return HTMLResponse((PAGES / "docs.html").read_text(), headers=headers)


@router.get("/docs/{name}", include_in_schema=False)
def docs_file(name: Literal["swagger-ui-bundle.js", "swagger-ui.css", "start.js"]) -> Any:
    folder, media_type = DOCS_FILES[name]
    return FileResponse(folder / name, media_type=media_type, headers={"cache-control": "max-age=86400"})


@router.get("/console", include_in_schema=False)
def console(if_none_match: Annotated[str | None, Header()] = None) -> Response:
    return console_file(PAGE, if_none_match)


@router.get("/console/{name}", include_in_schema=False)
def console_part(name: str, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    return console_file(name, if_none_match)


def _open_to_browsers(tracking_uri: str) -> str | None:
    """Return the address of the tracking server; None where its requests have to be signed, which browsers do not."""
    return None if ".execute-api." in tracking_uri else tracking_uri or None


handler = lambda_handler(router, public=True)
