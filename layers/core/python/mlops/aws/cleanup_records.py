"""The records of cleanups, and the marks of folders that nothing points to: parts of the governance table."""

from boto3.dynamodb.conditions import Attr, Key

from mlops.aws.dynamodb import DynamoTable
from mlops.domain.cleanup import Cleanup
from mlops.domain.timestamps import now

CLEANUPS, MARKS = "#cleanups", "#orphans"


class CleanupRecords:
    """Adapter of the parts `#cleanups` and `#orphans` of the table `GOVERNANCE_TABLE`."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def write(self, cleanup: Cleanup) -> None:
        """Record that a cleanup has ended."""
        self._table.put({"part": CLEANUPS, "item": cleanup.cleanup_id, **cleanup.ended()})

    def latest(self, limit: int) -> list[Cleanup]:
        """Return the last cleanups, the newest first."""
        page = self._table.page(Key("part").eq(CLEANUPS), limit, ScanIndexForward=False)
        return [Cleanup.from_record(item) for item in page.items]

    def marks(self) -> dict[str, str]:
        """Return since when each marked folder is known to be one that nothing points to."""
        items = self._table.query(Key("part").eq(MARKS), ConsistentRead=True)
        return {str(item["item"]): str(item["since"]) for item in items}

    def mark(self, folder: str) -> None:
        """Mark a folder, unless it is marked."""
        self._table.put({"part": MARKS, "item": folder, "since": now()}, Attr("item").not_exists())

    def unmark(self, folder: str) -> None:
        """Remove the mark of a folder. Idempotent."""
        self._table.delete({"part": MARKS, "item": folder})
