"""Tells an AWS service that is away, throttles or lost a race from one that refuses."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from mlops.domain.errors import DependencyUnavailable

# A condition that did not hold means that somebody else wrote in between: the next try reads what they wrote.
PASSING = frozenset(
    {
        "ConditionalRequestConflict",
        "InternalError",
        "InternalServerError",
        "PreconditionFailed",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TransactionConflictException",
    }
)


@contextmanager
def outages() -> Iterator[None]:
    """Raises DependencyUnavailable in place of an error of boto3 that another moment may not bring."""
    try:
        yield
    except (ConnectionError, HTTPClientError) as error:
        raise DependencyUnavailable("An AWS service does not answer") from error
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error.response.get("Error", {}).get("Code", "")
        if status >= 500 or code in PASSING:
            raise DependencyUnavailable(f"An AWS service could not do it ({code})") from error
        raise
