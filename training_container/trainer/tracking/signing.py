"""Signs MLflow's requests for an API Gateway that asks for IAM, as an auth provider of MLflow's client.

MLflow's own MLFLOW_TRACKING_AWS_SIGV4 goes through a library that collapses repeated query keys and fails on file
bodies. This provider uses the platform's signer. It is registered by a call, because MLflow otherwise looks for
providers among the entry points of installed packages, and the trainer is not installed but lies on the path.
"""

import os
from typing import cast
from urllib.parse import urlsplit

from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider
from mlflow.tracking.request_auth.registry import _request_auth_provider_registry
from requests import PreparedRequest
from requests.auth import AuthBase

from mlops.registry.signing import TrackingSigner
from mlops.settings import MissingSetting
from trainer.errors import Unreachable

NAME = "mlops_sigv4"


def is_needed(uri: str) -> bool:
    """Whether the tracking server at `uri` is an API Gateway of AWS."""
    return ".execute-api." in (urlsplit(uri).hostname or "")


def use() -> None:
    """Let MLflow's client sign all its requests."""
    if os.environ.get("MLFLOW_TRACKING_AUTH") != NAME:
        _request_auth_provider_registry.register(SigV4Provider)  # type: ignore[no-untyped-call]
        os.environ["MLFLOW_TRACKING_AUTH"] = NAME


class SigV4Provider(RequestAuthProvider):
    """What MLflow looks up by the name in MLFLOW_TRACKING_AUTH."""

    def get_name(self) -> str:
        return NAME

    def get_auth(self) -> AuthBase:
        return SigV4()


class SigV4(AuthBase):
    """Signs the requests that `requests` has prepared."""

    def __init__(self) -> None:
        self._signer = TrackingSigner()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the signature. Raises Unreachable if there are no credentials."""
        # API Gateway's canonical query spells a space %20, requests spells it +.
        path, mark, query = str(request.url).partition("?")
        request.url = path + mark + query.replace("+", "%20")
        headers = {}
        if content_type := request.headers.get("Content-Type"):
            headers["Content-Type"] = content_type if isinstance(content_type, str) else content_type.decode()
        body = request.body.encode() if isinstance(request.body, str) else cast(bytes | None, request.body)
        try:
            request.headers.update(self._signer.headers(str(request.method), request.url, body, headers))
        except MissingSetting as error:
            raise Unreachable(request.url, str(error)) from error
        return request
