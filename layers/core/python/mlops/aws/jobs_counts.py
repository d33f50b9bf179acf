"""How many jobs or sweeps there are, without reading all of history for each page of a list.

Records are not deleted and do not change once they have ended. So those up to an edge, which is older than any that is
under way, are counted once and remembered; only those behind it are counted again.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from boto3.dynamodb.conditions import ConditionBase, Key

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.jobs_selection import ACTIVE, ours, selection
from mlops.domain.job import Job, JobStatus, Sweep

STEP = 100
"""So many behind the edge move it on."""
AGE = timedelta(minutes=10)
"""Until then a record may be deleted, because Batch refused its job; or an older one may still be written."""
FORGET_SECONDS = 3600.0
"""The indexes follow the table with a delay, so a count may be wrong by one. It is not remembered for longer."""

Kind = type[Job] | type[Sweep]


@dataclass(frozen=True)
class _Settled:
    edge: str
    """An id; empty before the first record."""
    count: int
    at: float


class RecordCounts:
    """Counts of one table, remembered by this process."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table
        self._settled: dict[tuple[str, JobStatus | None, tuple[str, ...]], _Settled] = {}

    @classmethod
    def of_table(cls, table: DynamoTable) -> "RecordCounts":
        """Return the counts of a table, with what this process remembers of them."""
        return _counts_of(table)

    def total(self, kind: Kind, status: JobStatus | None, names: Sequence[str]) -> int:
        """Return how many records of a kind there are, with this status and these names of models and experiments."""
        if status in ACTIVE:
            return self._count(kind, status, names)
        key, moment = (kind.KIND, status, tuple(names)), time.monotonic()
        settled = self._settled.get(key)
        if settled is None or moment - settled.at > FORGET_SECONDS:
            settled = _Settled("", 0, moment)
        behind = self._count(kind, status, names, after=settled.edge)
        total = settled.count + behind
        if behind > STEP and (edge := self._edge(kind)) > settled.edge:
            before = settled.count + self._count(kind, status, names, after=settled.edge, until=edge)
            settled = _Settled(edge, before, settled.at)
        self._settled[key] = settled
        return total

    def _edge(self, kind: Kind) -> str:
        """Return the newest id up to which all records are old and have ended; empty if there is none."""
        condition, index = selection(kind, None)
        newest = self._table.query(condition, IndexName=index, ScanIndexForward=False)
        youngest = (datetime.now(UTC) - AGE).isoformat()
        edge = next((str(item["job_id"]) for item in newest if str(item.get("created_at", "")) < youngest), "")
        for status in ACTIVE:
            condition, index = selection(kind, status)
            oldest = next(iter(self._table.query(condition, IndexName=index, Limit=1)), None)
            if oldest is not None:
                edge = min(edge, _before(str(oldest["job_id"])))
        return edge

    def _count(
        self, kind: Kind, status: JobStatus | None, names: Sequence[str], after: str = "", until: str | None = None
    ) -> int:
        prefix = f"{kind.KIND}_"
        first = f"{after}!" if after else prefix  # ! comes before all digits
        index = selection(kind, status)[1]
        partition: ConditionBase = Key("kind").eq(kind.KIND) if status is None else Key("status").eq(str(status))
        condition = partition & Key("job_id").between(first, until or f"{prefix}~")
        return self._table.count(condition, IndexName=index, FilterExpression=ours(names))


def _before(identifier: str) -> str:
    """Return a text that sorts right before an id, and after all smaller ids."""
    return identifier[:-1] + chr(ord(identifier[-1]) - 1) + "~"


@cache
def _counts_of(table: DynamoTable) -> RecordCounts:
    return RecordCounts(table)
