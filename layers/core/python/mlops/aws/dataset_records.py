"""The records of deleted data sets: items in a part of the governance table, beside the histories."""

import hashlib
from collections.abc import Iterable

from boto3.dynamodb.conditions import Attr, Key

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.dynamodb_requests import Put, Write
from mlops.domain.dataset_deletion import DatasetDeletion
from mlops.domain.timestamps import now

PART = "#datasets"
MAX_ADDRESSES = 50
"""A transaction has 100 items, and the history needs some of them."""


class DatasetRecords:
    """Adapter of the part `#datasets` of the table `GOVERNANCE_TABLE`. All reads are consistent."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def find(self, digest: str) -> DatasetDeletion | None:
        """Return the deletion of the data set with this digest, as MLflow has it."""
        return self._find(_of_digest(digest))

    def of_address(self, address: str) -> DatasetDeletion | None:
        """Return the deletion of the data set whose file had this address."""
        return self._find(_of_address(address))

    def all(self) -> dict[str, DatasetDeletion]:
        """Return all, by their digests."""
        items = self._table.query(Key("part").eq(PART) & Key("item").begins_with("digest/"), ConsistentRead=True)
        return {str(item["digest"]): DatasetDeletion.from_record(item) for item in items}

    def watched(self) -> list[DatasetDeletion]:
        """Return those that the hourly look repeats."""
        return [deletion for deletion in self.all().values() if deletion.is_watched]

    def completed(self, deletion: DatasetDeletion) -> None:
        """Record that nothing is left. The first time stays."""
        same = Attr("deletion_id").eq(deletion.deletion_id)
        key = {"part": PART, "item": _of_digest(deletion.digest)}
        self._table.update(key, once={"completed_at": now()}, condition=same)

    def _find(self, item: str) -> DatasetDeletion | None:
        record = self._table.get({"part": PART, "item": item})
        return DatasetDeletion.from_record(record) if record is not None else None


def writes_of(deletion: DatasetDeletion) -> list[Write]:
    """Return the writes of a new deletion. The first one has the condition that there is none yet."""
    names: Iterable[str] = (_of_digest(deletion.digest), *map(_of_address, deletion.addresses))
    puts = [Put({"part": PART, "item": name, **deletion.to_record()}) for name in names]
    return [Put(puts[0].item, Attr("item").not_exists()), *puts[1:]]


def _of_digest(digest: str) -> str:
    return f"digest/{digest}"


def _of_address(address: str) -> str:
    """Return an item's name: an address can be longer than a key of DynamoDB."""
    return f"file/{hashlib.sha256(address.encode()).hexdigest()}"
