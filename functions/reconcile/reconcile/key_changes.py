"""The entries of the history of keys: what was made, changed or revoked since the last round."""

import os
from functools import cache

from aws_lambda_powertools import Logger

from mlops.aws.dynamodb import DynamoTable, table_named
from mlops.aws.key_history import KeyHistory
from mlops.domain.access import Caller

logger = Logger(child=True)


class KeyChanges:
    def __init__(self, keys: DynamoTable, history: KeyHistory) -> None:
        self._keys, self._history = keys, history

    @classmethod
    def from_environment(cls) -> "KeyChanges":
        return _changes(os.environ["ACCESS_KEYS_TABLE"])

    def look(self) -> list[str]:
        """Add an entry for each key that has changed, and return what these are. An item without a role is no key."""
        noted = self._history.note([Caller.from_record(item) for item in self._keys.scan() if "role" in item])
        if noted:
            logger.info("keys changed", changes=noted)
        return noted


@cache
def _changes(table: str) -> KeyChanges:
    return KeyChanges(table_named(table), KeyHistory.from_environment())
