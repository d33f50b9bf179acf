"""The transitions table: who moved which version where, when and why, with the gate's results. It is never pruned."""

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Unpack

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from mlops.aws.dynamodb import MAX_KEY_BYTES, DynamoTable, table_named
from mlops.aws.dynamodb_requests import Item
from mlops.domain.approval import Decision
from mlops.domain.errors import NotFound
from mlops.domain.pagination import decode_cursor, encode_cursor
from mlops.domain.stages import Stage
from mlops.domain.timestamps import now
from mlops.domain.transition import (
    Gates,
    RecordError,
    Transition,
    TransitionChanges,
    TransitionStatus,
    transition_record,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TransitionPage:
    """Transitions of a history, and the cursor of the next page."""

    transitions: list[Transition]
    next_cursor: str | None


class TransitionsTable:
    """Adapter of the DynamoDB table `TRANSITIONS_TABLE` (key `model_name`, `transition_id`).

    Index `by_id` finds a transition by its id alone. The sparse index `by_open` holds the transitions that have not
    ended, or have ended and are not announced yet.
    """

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    @classmethod
    def from_environment(cls) -> "TransitionsTable":
        return cls(table_named(os.environ["TRANSITIONS_TABLE"]))

    def create(self, transition: Transition) -> bool:
        """Record a queued transition; False if there is one with this id already."""
        return self._table.put(transition.to_record(), Attr("transition_id").not_exists())

    def find(self, transition_id: str) -> Transition:
        """Return a transition by its id alone. Raises NotFound."""
        page = self._table.page(Key("transition_id").eq(transition_id), 1, IndexName="by_id")
        if not page.items:
            raise _not_found(transition_id)
        return self.get(page.items[0]["model_name"], transition_id)

    def get(self, model_name: str, transition_id: str) -> Transition:
        """Return a transition. Raises NotFound."""
        record = self._table.get(_key(model_name, transition_id))
        if record is None:
            raise _not_found(transition_id)
        return Transition.from_record(record)

    def exists(self, model_name: str, transition_id: str) -> bool:
        return self._table.get(_key(model_name, transition_id), ("transition_id",)) is not None

    def begin(self, model_name: str, transition_id: str) -> Transition:
        """Count another try, and return the record. Raises NotFound."""
        key, condition = _key(model_name, transition_id), Attr("transition_id").exists()
        record = self._table.update(key, add={"tries": 1}, condition=condition)
        if record is None:
            raise _not_found(transition_id)
        return Transition.from_record(record)

    def finish(
        self, transition: Transition, status: TransitionStatus, *, error: str | None = None, gates: Gates | None = None
    ) -> bool:
        """End a transition as succeeded, rejected or failed; False if it has ended before."""
        values = transition_record({"status": status, "completed_at": now(), "error": error, "gates": gates})
        active = [status for status in TransitionStatus if not status.has_ended]
        return self._update(transition, values, Attr("status").is_in(active)) is not None

    def note(self, transition: Transition, **changes: Unpack[TransitionChanges]) -> Transition:
        """Record results of a step, for a later delivery of the same message, and return the record.

        A change to None removes what was noted before.

        Raises:
            NotFound: There is no such transition.
        """
        gone = [transition.recorded_as(name) for name, value in changes.items() if value is None]
        key, condition = _key(transition.model_name, transition.transition_id), Attr("transition_id").exists()
        record = self._table.update(key, transition_record(changes), remove=gone, condition=condition)
        if record is None:
            raise _not_found(transition.transition_id)
        return Transition.from_record(record)

    def close(self, transition: Transition) -> None:
        """Record that the outcome was announced. Then nothing is left to do."""
        self._table.update(_key(transition.model_name, transition.transition_id), remove=("open",))

    def resent(self, transition: Transition) -> bool:
        """Count another sending of a transition's message; False if another writer was first."""
        condition: ConditionBase = Attr("resends").eq(transition.resends)
        if not transition.resends:
            condition |= Attr("resends").not_exists()
        values = {"resends": transition.resends + 1, "resent_at": now()}
        return self._update(transition, values, condition) is not None

    def still_open(self, model_name: str | None = None, until: str = "tr_~") -> list[Transition]:
        """Return the open transitions of one or all models, up to and including the id `until`, in the order of
        requests.

        They are read from an index, so one that was recorded just before may be missing.
        """
        only = {} if model_name is None else {"FilterExpression": Attr("model_name").eq(model_name)}
        condition = Key("open").eq("1") & Key("transition_id").lte(until)
        return _whole(self._table.query(condition, IndexName="by_open", **only))

    def history(self, model_name: str, limit: int = 50, cursor: str | None = None) -> TransitionPage:
        """Return a page of a model's transitions, newest first."""
        start = _key(model_name, decode_cursor(cursor, MAX_KEY_BYTES)) if cursor else None
        page = self._table.page(_of(model_name), limit, start, ScanIndexForward=False)
        next_cursor = encode_cursor(page.next_key["transition_id"]) if page.next_key else None
        return TransitionPage(_whole(page.items), next_cursor)

    def has_history(self, model_name: str) -> bool:
        """Return whether a transition of the model was ever requested."""
        return bool(self._table.page(_of(model_name), 1).items)

    def admission(self, model_name: str, version: int, since: str = "") -> str | None:
        """Return the SHA-256 of the file that was admitted as the version; None if none was.

        The oldest admission counts. `since` is the time when the version was registered: if a model was deleted and
        registered again, the same number is another version.
        """
        admitted = Attr("version").eq(version) & Attr("admitted").exists() & Attr("created_at").gte(since)
        records = self._table.query(_of(model_name), FilterExpression=admitted, ConsistentRead=True)
        return next((str(record["admitted"]) for record in records), None)

    def all_of(self, model_name: str) -> list[Transition]:
        """Return all transitions of a model, the oldest first."""
        return _whole(self._table.query(_of(model_name), ConsistentRead=True))

    def decide(self, transition: Transition, decision: Decision) -> Transition | None:
        """Add a decision to a transition that waits, and queue it if that was the last one that it needs.

        Returns:
            The record; None if it does not wait any more, or others have decided since `transition` was read.
        """
        assert transition.binding is not None
        decisions = (*transition.decisions, decision)
        values = transition_record({"decisions": decisions})
        if not decision.approved or len(decisions) >= transition.approvals_needed:
            values |= _queued_again()
        before = transition_record({"binding": transition.binding, "decisions": transition.decisions})
        same = Attr("status").eq(TransitionStatus.AWAITING_APPROVAL) & Attr("binding").eq(before["binding"])
        same &= Attr("decisions").eq(before["decisions"]) | Attr("decisions").not_exists()
        record = self._update(transition, values, same)
        return Transition.from_record(record) if record is not None else None

    def go_on(self, transition: Transition) -> Transition | None:
        """Queue an approved transition whose rollout goes on; None if it does not wait for that any more."""
        waits = Attr("status").eq(TransitionStatus.AWAITING_ROLLOUT)
        record = self._update(transition, _queued_again(), waits)
        return Transition.from_record(record) if record is not None else None

    def productions(self, model_name: str) -> list[Transition]:
        """Return the transitions that moved a version to Production, the oldest first."""
        return self.entered(model_name, Stage.PRODUCTION)

    def entered(self, model_name: str, stage: Stage) -> list[Transition]:
        """Return the transitions that moved a version to a stage, the oldest first."""
        done = Attr("stage").eq(stage) & Attr("status").eq(TransitionStatus.SUCCEEDED)
        return _whole(self._table.query(_of(model_name), FilterExpression=done, ConsistentRead=True))

    def overtaken_by(self, transition: Transition) -> Transition | None:
        """Return a later transition that has moved another version to its stage, or its version elsewhere; None if
        there is none."""
        later = _of(transition.model_name) & Key("transition_id").gt(transition.transition_id)
        done = Attr("status").eq(TransitionStatus.SUCCEEDED) & (
            Attr("stage").eq(transition.stage) | Attr("version").eq(transition.version)
        )
        return next(iter(_whole(self._table.query(later, FilterExpression=done, ConsistentRead=True))), None)

    def _update(self, transition: Transition, values: Item, condition: ConditionBase) -> Item | None:
        key = _key(transition.model_name, transition.transition_id)
        return self._table.update(key, values, condition=condition)


def _queued_again() -> Item:
    return {"status": TransitionStatus.QUEUED, "queued_at": now(), "tries": 0, "resends": 0}


def _key(model_name: str, transition_id: str) -> dict[str, str]:
    return {"model_name": model_name, "transition_id": transition_id}


def _of(model_name: str) -> ConditionBase:
    """Return the key condition of a model's history."""
    return Key("model_name").eq(model_name)


def _not_found(transition_id: str) -> NotFound:
    return NotFound(f"There is no transition {transition_id!r}; GET /models/{{name}}/history lists those of a model")


def _whole(records: Iterable[dict[str, Any]]) -> list[Transition]:
    """Read records. One that cannot be read is logged and skipped."""
    transitions = []
    for record in records:
        try:
            transitions.append(Transition.from_record(record))
        except RecordError as error:
            logger.error("record skipped: %s", error)
    return transitions
