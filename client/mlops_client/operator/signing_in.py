"""Sign in with credentials of AWS, to a personal API key for some hours."""

from __future__ import annotations

from mlops_client.models import Session
from mlops_client.operator.signing import signer
from mlops_client.records import decode
from mlops_client.sessions import asked
from mlops_client.transport import Transport


def sign_in_with_iam(url: str, role: str | None = None) -> Session:
    """Return a personal key for the AWS credentials of this shell. It needs boto3.

    Args:
        url: The API's address.
        role: As of `sign_in`.

    Raises:
        MlopsError: There are no credentials.
        ApiError: The API does not know the principal.
        Unreachable: The API does not answer.
    """
    return decode(Session, Transport(url, None).call("POST", "/session/iam", asked(role), sign=signer()))
