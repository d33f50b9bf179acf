"""Tell temporary errors of AWS services from refusals."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from mlops.aws.transient import is_transient
from mlops.domain.errors import DependencyUnavailable


@contextmanager
def outages() -> Iterator[None]:
    """Raise DependencyUnavailable in place of a temporary error of boto3."""
    try:
        yield
    except (ConnectionError, HTTPClientError) as error:
        raise DependencyUnavailable("An AWS service does not answer") from error
    except ClientError as error:
        if is_transient(error):
            code = error.response.get("Error", {}).get("Code", "")
            raise DependencyUnavailable(f"An AWS service did not carry out a request ({code})") from error
        raise
