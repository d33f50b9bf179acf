"""Signs MLflow's requests for the tracking server on AWS, as an auth provider that MLflow finds by its entry point.

MLFLOW_TRACKING_AUTH=mlops_sigv4 chooses it: in notebooks, where this package is installed, and in jobs of people's own
code, where it lies on the path. There a script's folder may have modules called `trainer` or `mlops`, which come first,
so nothing of these is imported.
"""

from typing import cast

from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider
from requests import PreparedRequest
from requests.auth import AuthBase

from mlops_client.operator import signing

NAME = "mlops_sigv4"


class SigV4Provider(RequestAuthProvider):
    """What MLflow looks up by the name in MLFLOW_TRACKING_AUTH."""

    def get_name(self) -> str:
        return NAME

    def get_auth(self) -> AuthBase:
        return SigV4()


class SigV4(AuthBase):
    """Signs the requests that `requests` has prepared, with the AWS credentials of whoever runs this."""

    def __init__(self) -> None:
        self._sign = signing.signer()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the signature. Raises MlopsError: there are no credentials."""
        # API Gateway's canonical query spells a space %20, requests spells it +.
        path, mark, query = str(request.url).partition("?")
        request.url = path + mark + query.replace("+", "%20")
        content_type = request.headers.get("Content-Type")
        headers = {"Content-Type": str(content_type)} if content_type else {}
        body = request.body.encode() if isinstance(request.body, str) else cast(bytes | None, request.body)
        request.headers.update(self._sign(str(request.method), request.url, body or b"", headers))
        return request
