"""Sign requests to the tracking API with SigV4 for API Gateway (`execute-api`)."""

from collections.abc import Mapping

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from mlops.settings import MissingSetting


class TrackingSigner:
    """Signs with the credentials of the process. They are read for each request, because those of a task expire."""

    def __init__(self) -> None:
        self._session = boto3.Session()

    def headers(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> dict[str, str]:
        """Sign a request, and return all its headers. The request must not change afterwards.

        Args:
            method: The request's method.
            url: The full address. Spaces in its query must be %20, as in SigV4's canonical query.
            body: The request's body, if it has one.
            headers: Headers to sign.

        Raises:
            MissingSetting: There are no credentials.
        """
        credentials = self._session.get_credentials()
        if credentials is None:
            raise MissingSetting("there are no AWS credentials to sign requests to the tracking server with")
        request = AWSRequest(method, url, data=body, headers=dict(headers))
        SigV4Auth(credentials, "execute-api", self._session.region_name).add_auth(request)
        return dict(request.headers)
