"""Signs MLflow's requests for the tracking server on AWS, as an auth provider that MLflow finds by its entry point.

MLFLOW_TRACKING_AUTH=mlops_sigv4 chooses it: in notebooks, where this package is installed, and in jobs of people's own
code, where it lies on the path. There a script's folder may have modules called `trainer` or `mlops`, which come first,
so nothing of these is imported.
"""

from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import get_session
from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider
from requests import PreparedRequest
from requests.auth import AuthBase

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
        # The session renews the credentials of a task, which expire.
        self._credentials = get_session().get_credentials()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the signature. Raises RuntimeError if there are no credentials."""
        if self._credentials is None:
            raise RuntimeError("there are no AWS credentials to sign requests to the tracking server with")
        # API Gateway's canonical query spells a space %20, requests spells it +.
        path, mark, query = str(request.url).partition("?")
        request.url = path + mark + query.replace("+", "%20")
        region = (urlsplit(path).hostname or "").partition(".execute-api.")[2].partition(".")[0]
        headers = {}
        if content_type := request.headers.get("Content-Type"):
            headers["Content-Type"] = content_type
        unsigned = AWSRequest(request.method, request.url, data=request.body, headers=headers)
        SigV4Auth(self._credentials, "execute-api", region).add_auth(unsigned)
        request.headers.update(dict(unsigned.headers))
        return request
