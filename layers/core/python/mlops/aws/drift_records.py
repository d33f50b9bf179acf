"""What the drift check remembers: the last verdict of each model, and which retrains were asked for.

Both live in the prediction_stats table, in series of their own. Retrains are claimed by conditional writes, so that of
any number of checks at a time one asks.
"""

import os
import time
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import boto3
from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from mlops.aws.dynamodb import Item, from_item, query_all, to_item
from mlops.aws.transient import error_codes

CHECKS, RETRAINS = "drift", "retrains"
_DAY = 24 * 3600

Claim = Literal["claimed", "cooling_down", "budget_spent"]


@dataclass(frozen=True)
class RetrainLimits:
    """At most one retrain of a model in `cooldown_seconds`, and `daily_budget` of all models in a day (UTC)."""

    cooldown_seconds: float
    daily_budget: int


class DriftRecords:
    """Adapter of the table `PREDICTION_STATS_TABLE` (key `series`, `slot`)."""

    def __init__(self, table: Any, retention_days: int = 100) -> None:
        self._table = table
        self._client = table.meta.client
        self._retention = retention_days * _DAY

    @classmethod
    def from_environment(cls) -> "DriftRecords":
        return _table_of(os.environ["PREDICTION_STATS_TABLE"], int(os.environ.get("STATS_RETENTION_DAYS", "100")))

    def last(self, model_name: str) -> Item | None:
        """The last check's record of a model, as `save` was given it."""
        found = self._table.get_item(Key={"series": CHECKS, "slot": model_name}, ConsistentRead=True).get("Item")
        return self._read(found) if found else None

    def all(self) -> list[Item]:
        """The last record of every model that was checked within the retention."""
        return list(query_all(self._table, KeyConditionExpression=Key("series").eq(CHECKS)))

    def save(self, model_name: str, record: Item) -> None:
        expires = int(time.time()) + self._retention
        self._table.put_item(Item=to_item({**record, "series": CHECKS, "slot": model_name, "expires": expires}))

    def claim_retrain(self, model_name: str, wish: Item, limits: RetrainLimits, now: float) -> Claim:
        """Claim the right to ask for a retrain, once, within the limits. `wish` is kept until it was sent."""
        day = time.strftime("%Y-%m-%d", time.gmtime(now))
        name = self._table.name
        claim = {
            "TableName": name,
            "Key": {"series": RETRAINS, "slot": model_name},
            "UpdateExpression": "SET claimed_at = :now, unsent = :wish, expires = :expires",
            "ConditionExpression": "attribute_not_exists(claimed_at) OR claimed_at <= :ready",
            "ExpressionAttributeValues": to_item(
                {
                    ":now": now,
                    ":ready": now - limits.cooldown_seconds,
                    ":wish": wish,
                    ":expires": int(now + limits.cooldown_seconds) + self._retention,
                }
            ),
        }
        spend = {
            "TableName": name,
            "Key": {"series": RETRAINS, "slot": f"budget/{day}"},
            "UpdateExpression": "ADD spent :one SET expires = :expires",
            "ConditionExpression": "(attribute_not_exists(spent) OR spent < :budget) AND :budget > :none",
            "ExpressionAttributeValues": {
                ":one": 1,
                ":none": 0,
                ":budget": limits.daily_budget,
                ":expires": int(now) + 7 * _DAY,
            },
        }
        try:
            self._client.transact_write_items(TransactItems=[{"Update": claim}, {"Update": spend}])
        except ClientError as error:
            codes = error_codes(error)
            if "ConditionalCheckFailed" not in codes and "TransactionConflict" not in codes:
                raise
            # A conflict means that another check is claiming at this very moment.
            return "budget_spent" if codes[0] == "None" else "cooling_down"
        return "claimed"

    def unsent_retrain(self, model_name: str) -> Item | None:
        """A retrain that was claimed, but whose event may not have been sent: the check died in between."""
        key = {"series": RETRAINS, "slot": model_name}
        found = self._table.get_item(Key=key, ConsistentRead=True).get("Item", {})
        return self._read(found["unsent"]) if found.get("unsent") else None

    def retrain_sent(self, model_name: str) -> None:
        self._table.update_item(Key={"series": RETRAINS, "slot": model_name}, UpdateExpression="REMOVE unsent")

    @staticmethod
    def _read(item: Item) -> Item:
        read: Item = from_item(item)
        return read


@cache
def _table_of(name: str, retention_days: int) -> DriftRecords:
    return DriftRecords(boto3.resource("dynamodb").Table(name), retention_days)
