"""One-time tokens: they carry a key from the command line to the console, once and within a minute.

The caller splits its key into two random shares, neither of which says anything about it. One is kept here; the other
one goes to the console in the address, past every server. So what is stored opens nothing.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Callable
from functools import cache

from aws_lambda_powertools import Logger
from boto3.dynamodb.conditions import Attr

from mlops.aws.dynamodb import DynamoTable, table_named
from mlops.domain.access import Caller, require_unexpired
from mlops.domain.errors import Forbidden, InvalidToken

HOLDS_SECONDS = 60

logger = Logger(child=True)


class OneTimeTokens:
    """Makes and spends them.

    Args:
        table: The table of tokens, which has only their hashes.
        keys: The table of keys.
        clock: Seconds since 1970.
    """

    def __init__(self, table: DynamoTable, keys: DynamoTable, clock: Callable[[], float] = time.time) -> None:
        self._table, self._keys, self._clock = table, keys, clock

    @classmethod
    def from_environment(cls) -> "OneTimeTokens":
        return _one_time_tokens()

    def make(self, caller: Caller, share: str) -> tuple[str, int]:
        """Keep a share of the caller's key. Return the token that gives it out, and when it ends."""
        token, until = secrets.token_urlsafe(32), int(self._clock()) + HOLDS_SECONDS
        self._table.put({"hash": _hash(token), "key_id": caller.key_id, "share": share, "until": until})
        logger.info("one-time token made", key_id=caller.key_id, owner=caller.owner)
        return token, until

    def spend(self, token: str) -> str:
        """Give out a share, and forget it: whoever dies after that has spent the token.

        Raises:
            InvalidToken: The token is unknown, spent or too old.
            Forbidden: Its key was revoked meanwhile.
            SessionExpired: Its key was a personal one, which has ended.
        """
        now = int(self._clock())
        spent = self._table.take({"hash": _hash(token)}, Attr("until").gt(now))
        if spent is None:
            raise InvalidToken(
                f"This address was used before, or is older than {HOLDS_SECONDS} s; run `mlops console` again"
            )
        key = self._keys.get({"key_id": spent["key_id"]})
        if key is None:
            raise Forbidden("The key that this address was made with was revoked; ask an operator for another one")
        caller = Caller.from_record(key)
        require_unexpired(caller.until, now)
        logger.info("one-time token spent", key_id=caller.key_id, owner=caller.owner)
        return str(spent["share"])


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@cache
def _one_time_tokens() -> OneTimeTokens:
    return OneTimeTokens(table_named(os.environ["ONE_TIME_TOKENS_TABLE"]), table_named(os.environ["ACCESS_KEYS_TABLE"]))
