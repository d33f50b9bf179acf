"""MLflow's REST API at once, and the rest of MLflow's server when somebody asks for it.

MLflow's server is two applications. Flask answers the REST API with which runs are recorded and versions registered.
FastAPI is around it, with what is about language models: the gateway, the assistant, judges, traces of OpenTelemetry.
So requests of the REST API go to Flask directly, and the first other request, such as one of the UI, imports FastAPI's
application, which has Flask's in it. MLflow's handler of runs/search imports it too: it looks for MLflow's own login.
Host names, origins and security headers are checked and set by both, in the same way.
"""

import warnings

# tracking.server sets variables that MLflow's server reads when it is imported: without them, Flask checks no hosts.
from anyio import to_thread
from mlflow.server import app as flask

from tracking.access import Application, Receive, Scope, Send

with warnings.catch_warnings(action="ignore"):  # Starlette deprecates it, and MLflow's own server stands on it
    from starlette.middleware.wsgi import WSGIMiddleware

REST = ("/api/2.0/mlflow/", "/version")
"""Where paths start for which FastAPI's application has no route of its own (tests/unit/tracking/test_rest.py)."""

_rest: Application = WSGIMiddleware(flask)


async def rest_first(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as MLflow's whole server does; an ASGI application."""
    if scope["type"] == "http" and scope["path"].startswith(REST):
        await _rest(scope, receive, send)
    else:
        whole = await to_thread.run_sync(_whole)  # other requests go on meanwhile
        await whole(scope, receive, send)


def _whole() -> Application:
    """Return FastAPI's application. Python's lock of the module makes others wait while one imports it."""
    from mlflow.server.fastapi_app import app

    whole: Application = app
    return whole
