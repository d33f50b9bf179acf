"""Store what drift checks need later: the last verdict of each model, and the requested retrains.

Both are in the prediction_stats table, as separate series. Conditional writes claim a retrain, so only one of several
concurrent checks requests it.
"""

import logging
import time
from dataclasses import dataclass

from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

from mlops.aws.dynamodb import DynamoTable, table_named
from mlops.aws.dynamodb_requests import Item, Update
from mlops.aws.stats_table import StatsSettings
from mlops.aws.transient import CONDITION_FAILED, MET_ANOTHER_WRITE, error_codes
from mlops.domain.drift.record import DriftRecord
from mlops.domain.drift.retrain import RetrainClaim, RetrainRequest

logger = logging.getLogger(__name__)

CHECKS, RETRAINS = "drift", "retrains"
_DAY = 24 * 3600


@dataclass(frozen=True)
class RetrainLimits:
    """At most one retrain of a model in `cooldown_seconds`, and `daily_budget` of all models in a day (UTC)."""

    cooldown_seconds: float
    daily_budget: int


class DriftRecords:
    """Adapter of the table `PREDICTION_STATS_TABLE` (key `series`, `slot`)."""

    def __init__(self, table: DynamoTable, retention_seconds: int = 100 * _DAY) -> None:
        self._table = table
        self._retention = retention_seconds

    @classmethod
    def from_environment(cls) -> "DriftRecords":
        settings = StatsSettings.from_environment()
        return cls(table_named(settings.prediction_stats_table), settings.retention_seconds)

    def last(self, model_name: str) -> DriftRecord | None:
        """Return the record of a model's last check, if there is one that can be read."""
        item = self._table.get(_key(CHECKS, model_name))
        return _read(item) if item is not None else None

    def all(self) -> list[DriftRecord]:
        """Return the last record of each model that was checked within the retention time.

        Records that cannot be read, such as those of a later version of the platform, are logged and left out.
        """
        records = map(_read, self._table.query(Key("series").eq(CHECKS)))
        return [record for record in records if record is not None]

    def save(self, record: DriftRecord) -> None:
        expires = int(time.time()) + self._retention
        self._table.put({**record.to_record(), **_key(CHECKS, record.model_name), "expires": expires})

    def claim_retrain(self, request: RetrainRequest, limits: RetrainLimits, now: float) -> RetrainClaim:
        """Claim the right to send a request, within the limits. The request is stored until it was sent."""
        if limits.daily_budget <= 0:
            return RetrainClaim.BUDGET_SPENT
        day = time.strftime("%Y-%m-%d", time.gmtime(now))
        claimed_at, spent = Attr("claimed_at"), Attr("spent")
        claim = Update(
            _key(RETRAINS, request.model_name),
            {
                "claimed_at": now,
                "unsent": request.model_dump(),
                "expires": int(now + limits.cooldown_seconds) + self._retention,
            },
            condition=claimed_at.not_exists() | claimed_at.lte(now - limits.cooldown_seconds),
        )
        spend = Update(
            _key(RETRAINS, f"budget/{day}"),
            {"expires": int(now) + 7 * _DAY},
            add={"spent": 1},
            condition=spent.not_exists() | spent.lt(limits.daily_budget),
        )
        try:
            self._table.transact([claim, spend])
        except ClientError as error:
            codes = error_codes(error)
            # A conflict means that another check is claiming at this very moment.
            if MET_ANOTHER_WRITE.isdisjoint(codes) and CONDITION_FAILED not in codes:
                raise
            return RetrainClaim.BUDGET_SPENT if codes[0] == "None" else RetrainClaim.COOLING_DOWN
        return RetrainClaim.CLAIMED

    def unsent_retrain(self, model_name: str) -> RetrainRequest | None:
        """Return a request that was claimed but may not have been sent, because the check stopped in between."""
        item = self._table.get(_key(RETRAINS, model_name), ("unsent",))
        return RetrainRequest.model_validate(item["unsent"]) if item else None

    def retrain_sent(self, model_name: str) -> None:
        """Delete the stored request. Idempotent."""
        self._table.update(_key(RETRAINS, model_name), remove=("unsent",))


def _key(series: str, slot: str) -> dict[str, str]:
    return {"series": series, "slot": slot}


def _read(item: Item) -> DriftRecord | None:
    try:
        return DriftRecord.from_record(item)
    except ValueError as error:
        logger.warning("record skipped: %s", error)
        return None
