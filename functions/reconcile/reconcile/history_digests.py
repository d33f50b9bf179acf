"""Once a day, the heads of all histories as a file in the bucket.

Who changes the whole chain of a model in the table would have to change these files too, of which the bucket keeps each
version.
"""

import json
import os
from datetime import UTC, datetime
from functools import cache

import boto3
from botocore.exceptions import ClientError

from mlops.aws.governance_table import GovernanceTable

PREFIX = "history/heads/"


class HistoryDigests:
    def __init__(self, governance: GovernanceTable, bucket: str) -> None:
        self._governance, self._bucket = governance, bucket
        self._s3 = boto3.client("s3")
        self._done: str | None = None

    @classmethod
    def from_environment(cls) -> "HistoryDigests":
        return _digests(os.environ["ARTIFACT_BUCKET"])

    def look(self) -> list[str]:
        """Write the file of this day, unless there is one. Return its key if it was written now."""
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        if self._done == day:
            return []
        heads = {name: {"seq": head.seq, "sha256": head.sha256} for name, head in self._governance.heads().items()}
        key, document = f"{PREFIX}{day}.json", {"day": day, "heads": heads}
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=json.dumps(document, sort_keys=True).encode(),
                ContentType="application/json",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            self._done = day
            return []
        self._done = day
        return [key]


@cache
def _digests(bucket: str) -> HistoryDigests:
    return HistoryDigests(GovernanceTable.from_environment(), bucket)
