"""Build openapi.json from the routers of the functions, so that the published contract is what the code does.

python -m tools.openapi            # write functions/portal/portal/openapi.json
python -m tools.openapi --check    # exit 1 if it differs from the code
"""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Header, Query
from fastapi import Path as PathParameter

from mlops import __version__
from tools import api_docs

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "functions" / "portal" / "portal" / "openapi.json"
PAGE = ROOT / "docs" / "api.md"
ROUTED = (
    "portal",
    "sessions",
    "training",
    "batch_predictions",
    "experiments",
    "models",
    "transitions",
    "pushes",
    "rollout",
    "deletions",
    "drift",
    "feedback",
    "metrics",
    "webhooks",
)
OPEN_ROUTES = {
    ("GET", "/health"),
    ("GET", "/ready"),
    ("POST", "/session"),
    ("POST", "/session/iam"),
    ("POST", "/session/token"),
}
"""They need no API key."""
BARE_PATHS = ("/health", "/ready")
"""Nothing in their requests can be refused."""
LATE_PATHS = ("/feedback",)
PATHS_OF_THE_BIN = ("/experiments/{experiment}", "/models/{name}")


def predict_router() -> APIRouter:
    """Declare the predict routes: their handler does not use FastAPI, and is tested against these schemas."""
    from mlops.api.schemas import predict as schemas
    from mlops.domain.names import DEFAULT_MODEL_NAME, ModelName

    router = APIRouter(tags=["predict"])
    explain: Any = Query(
        default=None,
        description="true: also say what each column of a row adds to the answer; a label of the model: to that class "
        "instead of the predicted one (in quotation marks if the label is true or false)",
    )

    routing_key: Any = Header(
        default=None,
        alias="x-routing-key",
        description="During a rollout, requests with the same key, such as the id of a customer, are answered by the "
        "same version. Without it, each request is drawn by itself",
    )

    @router.post("/predict")
    def predict(
        body: schemas.PredictRequest, explain: str | None = explain, routing_key: str | None = routing_key
    ) -> schemas.PredictResponse:
        """Predict one input with the Production version of a model."""
        raise NotImplementedError

    @router.post("/predict/batch")
    def predict_batch(
        body: schemas.BatchPredictRequest, explain: str | None = explain, routing_key: str | None = routing_key
    ) -> schemas.BatchPredictResponse:
        """Predict up to 100 inputs with the Production version of a model."""
        raise NotImplementedError

    @router.post("/predict/staging")
    def predict_staging(body: schemas.PredictRequest, explain: str | None = explain) -> schemas.PredictResponse:
        """Predict one input with the Staging version of a model."""
        raise NotImplementedError

    @router.delete("/predict/cache", status_code=202)
    def reload_models(model_name: ModelName = DEFAULT_MODEL_NAME) -> schemas.CacheReloadAccepted:
        """Reload a model in every environment of predict, at its next refresh."""
        raise NotImplementedError

    protocol_routes(router)
    return router


def protocol_routes(router: APIRouter) -> None:
    """Declare the routes of the contract and of the protocols."""
    from mlops.api.schemas import open_inference as v2
    from mlops.api.schemas.contract import ModelContract
    from mlops.api.schemas.invocations import InvocationsRequest, InvocationsResponse, Ping
    from mlops.domain.names import ModelName

    Name = Annotated[ModelName, PathParameter()]
    Number = Annotated[str, PathParameter(pattern="^[1-9][0-9]{0,9}$", description="A version that is in a stage")]
    Stage = Annotated[Literal["Production", "Staging"] | None, Query(description="Production, unless it is given")]
    Version = Annotated[
        str | None, Query(pattern="^[1-9][0-9]{0,9}$", description="A version that is in a stage, in place of a stage")
    ]

    @router.get("/models/{name}/contract")
    def model_contract(name: Name, stage: Stage = None, version: Version = None) -> ModelContract:
        """Get what a model takes and gives: its signature, columns and labels, with an example of a request."""
        raise NotImplementedError

    @router.get("/models/{name}/ping")
    def ping(name: Name, stage: Stage = None, version: Version = None) -> Ping:
        """Check that a model is loaded."""
        raise NotImplementedError

    csv = {"text/csv": {"schema": {"type": "string"}}}

    @router.post("/models/{name}/invocations", openapi_extra={"requestBody": {"content": csv}})
    def invocations(
        name: Name, body: InvocationsRequest, stage: Stage = None, version: Version = None
    ) -> InvocationsResponse:
        """Predict by MLflow's scoring protocol."""
        raise NotImplementedError

    @router.get("/v2")
    def server_metadata() -> v2.ServerMetadata:
        """Get name and version of the server. This route and the following ones are the Open Inference Protocol."""
        raise NotImplementedError

    @router.get("/v2/health/live")
    def server_live() -> v2.ServerLive:
        """Check that the server answers."""
        raise NotImplementedError

    @router.get("/v2/health/ready")
    def server_ready() -> v2.ServerReady:
        """Check that models can be loaded."""
        raise NotImplementedError

    @router.get("/v2/models/{name}")
    def model_metadata(name: Name) -> v2.ModelMetadata:
        """Get the inputs and the outputs of the version in Production."""
        raise NotImplementedError

    @router.get("/v2/models/{name}/ready")
    def model_ready(name: Name) -> v2.ModelReady:
        """Check that the version in Production is loaded."""
        raise NotImplementedError

    @router.post("/v2/models/{name}/infer")
    def infer(name: Name, body: v2.InferRequest) -> v2.InferResponse:
        """Predict with the version in Production."""
        raise NotImplementedError

    @router.get("/v2/models/{name}/versions/{version}")
    def version_metadata(name: Name, version: Number) -> v2.ModelMetadata:
        """Get the inputs and the outputs of a version."""
        raise NotImplementedError

    @router.get("/v2/models/{name}/versions/{version}/ready")
    def version_ready(name: Name, version: Number) -> v2.ModelReady:
        """Check that a version is loaded."""
        raise NotImplementedError

    @router.post("/v2/models/{name}/versions/{version}/infer")
    def infer_by_version(name: Name, version: Number, body: v2.InferRequest) -> v2.InferResponse:
        """Predict with a version."""
        raise NotImplementedError


def build() -> dict[str, Any]:
    """Return the OpenAPI document of the whole API."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    app = FastAPI(
        title="mlops",
        version=__version__,
        description="Train, compare, register, promote and serve models. Errors are RFC 9457 problem documents.",
        # Relative to the address of the document, because a stage name may stand before the path.
        servers=[{"url": "."}],
        separate_input_output_schemas=False,
    )
    for name in ROUTED:
        app.include_router(importlib.import_module(f"{name}.app").router)
    app.include_router(predict_router())
    document = app.openapi()
    document["components"]["schemas"] = _with_problem(document["components"]["schemas"])
    document["components"]["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            operation["security"] = [] if (method.upper(), path) in OPEN_ROUTES else [{"key": []}]
            operation["responses"] |= _problem_responses(path)
    return document


def _problem_responses(path: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    statuses = {"503": "A service behind the platform does not answer"}
    if path not in BARE_PATHS:
        statuses |= {
            "401": "The personal key has ended, or the token to sign in with is not valid",
            "403": "The API key is missing or wrong, or its role does not allow the request",
            "404": "There is nothing with this name",
            "409": "The request does not fit the current state; `code` says why",
            "413": "The body is too large",
            "422": "The request is not valid; `errors` names each field",
            "429": "Too many requests",
        }
    if path in LATE_PATHS:
        statuses |= {"410": "It came too late"}
    if path.startswith(PATHS_OF_THE_BIN):
        statuses |= {"410": "It is in the bin; `detail` says how to restore it"}
    return {status: {"description": text, "content": content} for status, text in statuses.items()}


def _with_problem(schemas: dict[str, Any]) -> dict[str, Any]:
    kept = {name: schema for name, schema in schemas.items() if name not in ("HTTPValidationError", "ValidationError")}
    error = {
        "type": "object",
        "required": ["field", "message"],
        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
    }
    text = {name: {"type": "string"} for name in ("type", "title", "detail", "code", "request_id")}
    kept["Problem"] = {
        "type": "object",
        "title": "Problem",
        "description": "RFC 9457 problem document",
        "required": [*text, "status"],
        "properties": {**text, "status": {"type": "integer"}, "errors": {"type": "array", "items": error}},
    }
    return dict(sorted(kept.items()))


def rendered() -> dict[Path, str]:
    """Return the text of each published file."""
    document = build()
    return {
        PUBLISHED: json.dumps(document, indent=1, sort_keys=True) + "\n",
        PAGE: api_docs.render(document),
    }


def main() -> int:
    stale = [path for path, text in rendered().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not up to date: run `make openapi`", file=sys.stderr)
        return 1 if stale else 0
    for path, text in rendered().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
