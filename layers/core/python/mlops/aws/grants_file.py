"""The file that tells predict what each key may do, made from the table of keys."""

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.transient import is_transient
from mlops.domain.access import ACCESS_KEY, AccessError, Caller, Grant, grants_from_json, grants_to_json
from mlops.domain.errors import DependencyUnavailable

ATTEMPTS = 5


@dataclass(frozen=True)
class StoredGrants:
    """What the file has; None if it cannot be read."""

    grants: dict[str, Grant] | None
    etag: str


class GrantsFile:
    """Adapter of `serving/_access.json`.

    Args:
        keys: The table of keys.
        bucket: The stack's bucket.
    """

    def __init__(self, keys: DynamoTable, bucket: str) -> None:
        self._keys, self._bucket = keys, bucket
        self._s3 = boto3.client("s3")

    def stored(self) -> StoredGrants | None:
        """Return what the file has; None if there is no file."""
        try:
            answer: dict[str, Any] = self._s3.get_object(Bucket=self._bucket, Key=ACCESS_KEY)
        except self._s3.exceptions.NoSuchKey:
            return None
        try:
            return StoredGrants(grants_from_json(answer["Body"].read()), answer["ETag"])
        except AccessError:
            return StoredGrants(None, answer["ETag"])

    def wanted(self) -> dict[str, Grant]:
        """Return what the file should have, as the table is now. An item without a role may nothing."""
        return {str(item["key_id"]): Caller.from_record(item).grant for item in self._keys.scan() if "role" in item}

    def replace(self, stored: StoredGrants | None, grants: dict[str, Grant]) -> bool:
        """Write the file; False if somebody has written it since `stored` was read, or S3 does not answer."""
        condition = {"IfNoneMatch": "*"} if stored is None else {"IfMatch": stored.etag}
        body = grants_to_json(grants)
        try:
            self._s3.put_object(
                Bucket=self._bucket, Key=ACCESS_KEY, Body=body, ContentType="application/json", **condition
            )
        except ClientError as error:
            if not is_transient(error):
                raise
            return False
        return True

    def write(self) -> None:
        """Write the file as the table is now.

        Raises:
            DependencyUnavailable: Others kept writing it. `reconcile` writes it within five minutes.
        """
        for _ in range(ATTEMPTS):
            # The file comes before the table: if its tag still holds, nobody wrote what this table does not have.
            stored = self.stored()
            if self.replace(stored, self.wanted()):
                return
        raise DependencyUnavailable("What predict knows of the keys could not be written; try again")
