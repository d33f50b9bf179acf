"""Read the model types that the training image has. `make up` and `make deploy` write the document."""

import time
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError
from pydantic import ValidationError

from mlops.domain.errors import DependencyUnavailable
from mlops.domain.model_types import DOCUMENT_KEY, ModelTypes

REFRESH_SECONDS = 30.0
"""How long a document is used before S3 is asked for a newer one."""
_MISSING = ("NoSuchKey", "404", "AccessDenied", "403")
"""S3 answers 403 for a missing object if the caller may not list the bucket."""
_REMEDY = "run `make up` on a laptop, or `make deploy` on AWS: they publish it"


class PublishedModelTypes:
    """Reads the document in the artifact bucket, at most once in `REFRESH_SECONDS`."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = boto3.client("s3")
        self._read: tuple[float, ModelTypes] | None = None

    @classmethod
    def of_bucket(cls, bucket: str) -> "PublishedModelTypes":
        return _of_bucket(bucket)

    def read(self) -> ModelTypes:
        """Return the published model types.

        Raises:
            DependencyUnavailable: There is no document, or it cannot be read.
        """
        now = time.monotonic()
        if self._read is None or now - self._read[0] > REFRESH_SECONDS:
            self._read = (now, self._fetch())
        return self._read[1]

    def _fetch(self) -> ModelTypes:
        try:
            answer: dict[str, Any] = self._s3.get_object(Bucket=self._bucket, Key=DOCUMENT_KEY)
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                raise DependencyUnavailable(f"The list of model types is missing; {_REMEDY}", retry_after=30) from error
            raise
        try:
            return ModelTypes.model_validate_json(answer["Body"].read())
        except ValidationError as error:
            raise DependencyUnavailable(f"The list of model types cannot be read; {_REMEDY}", retry_after=30) from error


@cache
def _of_bucket(bucket: str) -> PublishedModelTypes:
    return PublishedModelTypes(bucket)
