"""Signatures for MLflow behind IAM, with the operator's AWS credentials."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from mlops_client.errors import MlopsError
from mlops_client.operator import aws
from mlops_client.transport import Signer as Signer


def tracking_uri(stack: str) -> str:
    """Return MLflow's address, from the stack's outputs. Raises MlopsError: the stack has none."""
    if not (uri := aws.stack_outputs(stack).get("TrackingUrl")):
        raise MlopsError(f"the stack {stack} has no output TrackingUrl; give --tracking-uri")
    return uri


def needs_signature(uri: str) -> bool:
    """Return whether the address is one of API Gateway, which requires signed requests."""
    return ".execute-api." in (urlsplit(uri).hostname or "")


def signer() -> Signer:
    """Return a function that signs requests to API Gateway. Raises MlopsError: there are no credentials."""
    session = aws.session()
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    credentials = session.get_credentials()
    if credentials is None:
        raise MlopsError("no AWS credentials: sign in to AWS first (aws sso login, or AWS_PROFILE)")

    def sign(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        host = urlsplit(url).hostname or ""
        # A domain of one's own does not name the region.
        region = host.split(".execute-api.")[1].split(".")[0] if ".execute-api." in host else session.region_name
        if not region:
            raise MlopsError(f"{host} does not say in which region it is: set AWS_REGION")
        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
        return dict(request.headers)

    return sign
