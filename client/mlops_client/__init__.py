"""Python SDK of the mlops platform: `Client(url, key)` and its typed records, `describe(table)`, and `log_model`."""

from mlops_client.client import Client
from mlops_client.describing import describe
from mlops_client.errors import (
    ApiError,
    BadInput,
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
from mlops_client.own_models import log_model
from mlops_client.version import __version__

__all__ = [
    "ApiError",
    "BadInput",
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
    "__version__",
    "describe",
    "log_model",
]
