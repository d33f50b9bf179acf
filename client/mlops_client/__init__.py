"""Python SDK of the mlops platform: `Client(url, key)` and the typed records it answers with."""

from mlops_client._version import __version__ as __version__
from mlops_client.client import Client
from mlops_client.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    JobFailed,
    MlopsError,
    NotFound,
    NotSignedIn,
    TransitionRefused,
    Unavailable,
    Unreachable,
    WaitTimeout,
)
from mlops_client.listing import Listing

__all__ = [
    "ApiError",
    "Client",
    "Conflict",
    "Forbidden",
    "Invalid",
    "JobFailed",
    "Listing",
    "MlopsError",
    "NotFound",
    "NotSignedIn",
    "TransitionRefused",
    "Unavailable",
    "Unreachable",
    "WaitTimeout",
]
