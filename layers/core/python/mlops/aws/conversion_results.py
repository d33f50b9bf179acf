"""Read what the jobs of conversions wrote to the bucket. Foreign code may have written it, so it is checked."""

import os
from functools import cache

import boto3
from botocore.exceptions import ClientError
from pydantic import ValidationError

from mlops.aws.missing import is_missing
from mlops.domain.conversion import MAX_RESULT_BYTES, RESULT_FILE, Conversion, ConversionResult


class ConversionResults:
    """The objects below `conversions/` in the bucket `ARTIFACT_BUCKET`."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = boto3.client("s3")

    @classmethod
    def from_environment(cls) -> "ConversionResults":
        return _of_bucket(os.environ["ARTIFACT_BUCKET"])

    def read(self, conversion: Conversion) -> ConversionResult | None:
        """Return the result of a conversion; None if there is none, or it cannot be one."""
        key = conversion.folder + RESULT_FILE
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if is_missing(self._s3, self._bucket, key, error):
                return None
            raise
        try:
            result = ConversionResult.model_validate_json(answer["Body"].read(MAX_RESULT_BYTES))
        except ValidationError:
            return None
        return result if result.conversion_id == conversion.conversion_id else None


@cache
def _of_bucket(bucket: str) -> ConversionResults:
    return ConversionResults(bucket)
