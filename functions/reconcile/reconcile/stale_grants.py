"""The file that tells predict what each key may do, where it differs from the table of keys.

Whoever makes a key writes it. An earlier version of the client, or somebody who changes the table by hand, does not.
"""

import os
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from mlops.aws.dynamodb import DynamoTable, table_named
from mlops.aws.transient import is_transient
from mlops.domain.access import ACCESS_KEY, AccessError, Caller, Grant, grants_from_json, grants_to_json

logger = Logger(child=True)


class StaleGrants:
    def __init__(self, keys: DynamoTable, bucket: str) -> None:
        self._keys, self._bucket = keys, bucket
        self._s3 = boto3.client("s3")

    @classmethod
    def from_environment(cls) -> "StaleGrants":
        return _grants(os.environ["ACCESS_KEYS_TABLE"], os.environ["ARTIFACT_BUCKET"])

    def look(self) -> list[str]:
        """Write the file again if it differs from the table, and return its key then.

        A stack without the file gets none: its keys may ask all models until the first one is made by this version.
        """
        # The file comes first: what is made after this has another ETag.
        stored = self._stored()
        if stored is None:
            return []
        grants = {str(item["key_id"]): Caller.from_record(item).grant for item in self._keys.scan() if "role" in item}
        if _read(stored["Body"].read()) == grants:
            return []
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=ACCESS_KEY,
                Body=grants_to_json(grants),
                ContentType="application/json",
                IfMatch=stored["ETag"],
            )
        except ClientError as error:
            if not is_transient(error):
                raise
            return []  # somebody makes a key, or S3 does not answer; the next round looks again
        logger.warning("grants written again", keys=len(grants))
        return [ACCESS_KEY]

    def _stored(self) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = self._s3.get_object(Bucket=self._bucket, Key=ACCESS_KEY)
        except self._s3.exceptions.NoSuchKey:
            return None
        return answer


def _read(data: bytes) -> dict[str, Grant] | None:
    try:
        return grants_from_json(data)
    except AccessError:
        return None


@cache
def _grants(table: str, bucket: str) -> StaleGrants:
    return StaleGrants(table_named(table), bucket)
