"""Which errors of AWS are worth another try.

Two places have another question and a rule of their own: after the submission of a Batch job it is whether the job may
run, and for a retrain's claim a conflict means that another check was first.
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
"""Of a transaction's write: its condition did not hold, so another try brings the same answer."""
NOT_DONE = THROTTLED | MET_ANOTHER_WRITE
"""Nothing was done, so even what must not be done twice may be tried again."""

_OTHER_WROTE_FIRST = frozenset({"ConditionalRequestConflict", "PreconditionFailed"})
_DOWN = frozenset({"InternalError", "InternalServerError", "RequestTimeout", "ServiceUnavailable"})


def is_transient(error: Exception) -> bool:
    """Whether another try may succeed, for a request that may be repeated: the service does not answer, throttles or
    failed, or another writer came between, so that the next try reads what it wrote."""
    if isinstance(error, ConnectionError | HTTPClientError):
        return True
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or not (NOT_DONE | _OTHER_WROTE_FIRST | _DOWN).isdisjoint(error_codes(error))


def error_codes(error: ClientError) -> list[str]:
    """Return the error's code; of a cancelled transaction the code of each write, "None" if the write did not fail."""
    response: Mapping[str, Any] = error.response
    code = str(response.get("Error", {}).get("Code", ""))
    if code != "TransactionCanceledException":
        return [code]
    return [str(reason.get("Code")) for reason in response.get("CancellationReasons", [])]
