"""The file that tells predict what each key may do, where it differs from the table of keys.

Whoever makes a key writes it. An earlier version of the client, or somebody who changes the table by hand, does not.
"""

import os
from functools import cache

from aws_lambda_powertools import Logger

from mlops.aws.dynamodb import table_named
from mlops.aws.grants_file import GrantsFile
from mlops.domain.access import ACCESS_KEY

logger = Logger(child=True)


class StaleGrants:
    def __init__(self, file: GrantsFile) -> None:
        self._file = file

    @classmethod
    def from_environment(cls) -> "StaleGrants":
        return _grants(os.environ["ACCESS_KEYS_TABLE"], os.environ["ARTIFACT_BUCKET"])

    def look(self) -> list[str]:
        """Write the file again if it differs from the table, and return its key then.

        A stack without the file gets none: its keys may ask all models until the first one is made by this version.
        """
        stored = self._file.stored()
        if stored is None:
            return []
        grants = self._file.wanted()
        # If it is not replaced, somebody makes a key, or S3 does not answer; the next round looks again.
        if stored.grants == grants or not self._file.replace(stored, grants):
            return []
        logger.warning("grants written again", keys=len(grants))
        return [ACCESS_KEY]


@cache
def _grants(table: str, bucket: str) -> StaleGrants:
    return StaleGrants(GrantsFile(table_named(table), bucket))
