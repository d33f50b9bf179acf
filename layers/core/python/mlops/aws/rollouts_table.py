"""The rollouts table: who asked for which rollout, how far it is, and how it ended. It is never pruned.

A model has one open rollout at most: an item beside the rollouts names it, and is written and removed in the same
transactions.
"""

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.conditions import Attr, Key

from mlops.aws.dynamodb import MAX_KEY_BYTES, DynamoTable, table_named
from mlops.aws.dynamodb_requests import Item, Put, Update
from mlops.domain.errors import NotFound
from mlops.domain.pagination import decode_cursor, encode_cursor
from mlops.domain.rollout.rollout import ID_PREFIX, RecordError, Rollout, RolloutStatus, rollout_record
from mlops.domain.timestamps import now

OPEN_ITEM = "open"
"""In place of an id: the item that names the open rollout of a model."""
_OPEN = "1"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RolloutPage:
    """Rollouts of a model, the newest first, and the cursor of the next page."""

    rollouts: list[Rollout]
    next_cursor: str | None


class RolloutsTable:
    """Adapter of the DynamoDB table `ROLLOUTS_TABLE` (key `model_name`, `rollout_id`).

    The sparse index `by_open` holds the rollouts that have not ended, and those whose end has not been told yet.
    """

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    @classmethod
    def from_environment(cls) -> "RolloutsTable":
        return cls(table_named(os.environ["ROLLOUTS_TABLE"]))

    def create(self, rollout: Rollout) -> bool:
        """Record a rollout; False if the model has an open one."""
        record = {**rollout.to_record(), "open": _OPEN}
        lock = {"model_name": rollout.model_name, "rollout_id": OPEN_ITEM, "rollout": rollout.rollout_id}
        return self._table.transact_if(
            [Put(record, Attr("rollout_id").not_exists()), Put(lock, Attr("rollout").not_exists())]
        )

    def get(self, model_name: str, rollout_id: str) -> Rollout:
        """Return a rollout. Raises NotFound."""
        record = self._table.get(_key(model_name, rollout_id)) if rollout_id != OPEN_ITEM else None
        if record is None:
            raise NotFound(
                f"The model {model_name!r} has no rollout {rollout_id!r}; GET /models/{{name}}/rollouts lists them"
            )
        return Rollout.from_record(record)

    def open_of(self, model_name: str) -> Rollout | None:
        """Return the rollout of a model that has not ended, if there is one."""
        lock = self._table.get(_key(model_name, OPEN_ITEM))
        return self.get(model_name, lock["rollout"]) if lock is not None and "rollout" in lock else None

    def all_open(self) -> list[Rollout]:
        """Return the rollouts of all models that have not ended, or whose end has not been told yet.

        One that cannot be read is logged and skipped.
        """
        return _whole(self._table.query(Key("open").eq(_OPEN), IndexName="by_open"))

    def page(self, model_name: str, limit: int, cursor: str | None) -> RolloutPage:
        """Return rollouts of a model, the newest first."""
        start = _key(model_name, decode_cursor(cursor, MAX_KEY_BYTES)) if cursor else None
        condition = Key("model_name").eq(model_name) & Key("rollout_id").begins_with(ID_PREFIX)
        page = self._table.page(condition, limit, start, ScanIndexForward=False)
        return RolloutPage(_whole(page.items), encode_cursor(page.next_key["rollout_id"]) if page.next_key else None)

    def change(self, rollout: Rollout, **changes: Any) -> Rollout | None:
        """Change an open rollout, if its status and phase are still those of `rollout`.

        Returns:
            The rollout after the change, or None if it has changed meanwhile.
        """
        record = self._table.update(
            _key(rollout.model_name, rollout.rollout_id),
            rollout_record(changes),
            condition=Attr("status").eq(rollout.status) & Attr("phase").eq(rollout.phase),
        )
        return Rollout.from_record(record) if record is not None else None

    def end(self, rollout: Rollout, status: RolloutStatus, **changes: Any) -> bool:
        """End a rollout; False if it has ended before. The model can have another one then.

        It stays in `all_open` until its end has been told.
        """
        active = [status for status in RolloutStatus if not status.has_ended]
        end = Update(
            _key(rollout.model_name, rollout.rollout_id),
            rollout_record({**changes, "status": status, "completed_at": now()}),
            condition=Attr("status").is_in(active),
        )
        unlock = Update(
            _key(rollout.model_name, OPEN_ITEM),
            remove=("rollout",),
            condition=Attr("rollout").eq(rollout.rollout_id),
        )
        return self._table.transact_if([end, unlock])

    def told(self, rollout: Rollout) -> None:
        """Note that the end of a rollout has been told. Idempotent."""
        key = _key(rollout.model_name, rollout.rollout_id)
        self._table.update(key, remove=("open",), condition=Attr("status").eq(rollout.status))


def _key(model_name: str, rollout_id: str) -> dict[str, str]:
    return {"model_name": model_name, "rollout_id": rollout_id}


def _whole(records: Iterable[Item]) -> list[Rollout]:
    rollouts = []
    for record in records:
        try:
            rollouts.append(Rollout.from_record(record))
        except RecordError as error:
            logger.error("record skipped: %s", error)
    return rollouts
