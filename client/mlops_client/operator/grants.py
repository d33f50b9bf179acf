"""The file from which predict learns what each key may do."""

from __future__ import annotations

import json
from typing import Any

from mlops_client.errors import MlopsError

KEY = "serving/_access.json"
ATTEMPTS = 5
_CHANGED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class GrantsFile:
    """Writes `serving/_access.json` from the table of keys.

    Args:
        s3: The client.
        bucket: The stack's bucket.
        table: The table of keys.
    """

    def __init__(self, s3: Any, bucket: str, table: Any) -> None:
        self._s3, self._bucket, self._table = s3, bucket, table

    def write(self) -> None:
        """Write the file as the table is now. Somebody else who makes a key meanwhile is not overwritten.

        Raises:
            MlopsError: Others kept writing it. What the table has is written with the next key.
        """
        for _ in range(ATTEMPTS):
            # The tag is read before the table: if it still holds, nobody wrote what this table does not have.
            condition = self._unchanged()
            if self._put(json.dumps({"keys": self._grants()}, separators=(",", ":")).encode(), condition):
                return
        raise MlopsError(f"{KEY} was changed by others {ATTEMPTS} times; run the command again")

    def _grants(self) -> dict[str, dict[str, Any]]:
        grants, request = {}, {"ConsistentRead": True}
        while True:
            page = self._table.scan(**request)
            for item in page["Items"]:
                if "role" not in item:  # it may nothing
                    continue
                models = list(map(str, item.get("models") or ("*",)))
                grant: dict[str, Any] = {"role": str(item["role"]), "models": models}
                if item.get("until") is not None:  # a personal key
                    grant["until"] = int(item["until"])
                grants[str(item["key_id"])] = grant
            if "LastEvaluatedKey" not in page:
                return dict(sorted(grants.items()))
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _unchanged(self) -> dict[str, str]:
        """Return the condition that the file is still as it is now."""
        from botocore.exceptions import ClientError

        try:
            return {"IfMatch": self._s3.head_object(Bucket=self._bucket, Key=KEY)["ETag"]}
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NotFound"):
                raise
            return {"IfNoneMatch": "*"}

    def _put(self, content: bytes, condition: dict[str, str]) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._s3.put_object(Bucket=self._bucket, Key=KEY, Body=content, ContentType="application/json", **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _CHANGED:
                raise
            return False
        return True
