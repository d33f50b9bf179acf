"""Personal keys that have ended: out of API Gateway and out of the table of keys."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from mlops.aws.dynamodb import DynamoTable, table_named

logger = Logger(child=True)
MOST_KEYS = 200
"""Keys of one round. API Gateway takes five of these requests per second."""


class ExpiredKeys:
    def __init__(self, keys: DynamoTable, clock: Callable[[], float] = time.time) -> None:
        self._keys, self._clock = keys, clock
        self._gateway: Any = boto3.client("apigateway")

    @classmethod
    def from_environment(cls) -> "ExpiredKeys":
        return _expired(os.environ["ACCESS_KEYS_TABLE"])

    def look(self) -> list[str]:
        """Remove the keys that have ended, and return their ids.

        The item comes last: whoever dies before leaves a key that already opens nothing, for the next round.
        """
        ended = [
            str(item["key_id"])
            for item in self._keys.scan()
            if item.get("until") is not None and int(item["until"]) <= self._clock()
        ][:MOST_KEYS]
        for key_id in ended:
            # Its place in the usage plan goes with it.
            with suppress(self._gateway.exceptions.NotFoundException):  # a round that died, or an operator, was first
                self._gateway.delete_api_key(apiKey=key_id)
            self._keys.delete({"key_id": key_id})
        if ended:
            logger.info("personal keys removed", keys=ended)
        return ended


@cache
def _expired(table: str) -> ExpiredKeys:
    return ExpiredKeys(table_named(table))
