"""Decide which errors of AWS are temporary.

Two places have other rules: after the submission of a Batch job the question is whether the job may run, and for a
retrain's claim a conflict means that another check was first.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
    }
)
MET_ANOTHER_WRITE = frozenset({"TransactionConflict", "TransactionConflictException", "TransactionInProgressException"})
CONDITION_FAILED = "ConditionalCheckFailed"
"""The condition of a transaction's write did not hold, so another try would give the same answer."""
NOT_DONE = THROTTLED | MET_ANOTHER_WRITE
"""Nothing was done, so even a request that must not be carried out twice can be tried again."""

_OTHER_WROTE_FIRST = frozenset({"ConditionalRequestConflict", "PreconditionFailed"})
_DOWN = frozenset({"InternalError", "InternalServerError", "RequestTimeout", "ServiceUnavailable"})


def is_transient(error: Exception) -> bool:
    """Return whether another try may succeed, for a request that can be repeated.

    The service does not answer, throttles or failed, or another writer was faster.
    """
    if isinstance(error, ConnectionError | HTTPClientError):
        return True
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or not (NOT_DONE | _OTHER_WROTE_FIRST | _DOWN).isdisjoint(error_codes(error))


def error_codes(error: ClientError) -> list[str]:
    """Return the error's code; for a cancelled transaction the code of each write, "None" if the write did not fail."""
    response: Mapping[str, Any] = error.response
    code = str(response.get("Error", {}).get("Code", ""))
    if code != "TransactionCanceledException":
        return [code]
    return [str(reason.get("Code")) for reason in response.get("CancellationReasons", [])]
