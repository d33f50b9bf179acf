"""Which errors of AWS are worth another try.

Two places ask something else and keep a rule of their own: submitting a Batch job asks whether the job may have been
taken, and a retrain's claim reads a conflict as "another check was first".
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
NOT_DONE = THROTTLED | MET_ANOTHER_WRITE
"""Nothing was done, so even what must not be done twice may be tried again."""

_OTHER_WROTE_FIRST = frozenset({"ConditionalRequestConflict", "PreconditionFailed"})
_DOWN = frozenset({"InternalError", "InternalServerError", "RequestTimeout", "ServiceUnavailable"})


def is_transient(error: Exception) -> bool:
    """Whether another moment may bring another answer to what may be done twice: the service is away, throttles or
    failed, or somebody else wrote in between, so that the next try reads what they wrote."""
    if isinstance(error, ConnectionError | HTTPClientError):
        return True
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or not (NOT_DONE | _OTHER_WROTE_FIRST | _DOWN).isdisjoint(error_codes(error))


def error_codes(error: ClientError) -> list[str]:
    """The error's code; of a cancelled transaction the codes of its writes, "None" of those that did not fail."""
    response: Mapping[str, Any] = error.response
    code = str(response.get("Error", {}).get("Code", ""))
    if code != "TransactionCanceledException":
        return [code]
    return [str(reason.get("Code")) for reason in response.get("CancellationReasons", [])]
