"""The table of what people have decided about models: the history of each as a chain, and its settings.

Every change of the settings and of the bin is one transaction with its entry in the history, and no entry is ever
deleted.
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

from mlops.aws.bin_records import BinRecords
from mlops.aws.cleanup_records import CleanupRecords
from mlops.aws.dataset_records import DatasetRecords
from mlops.aws.dynamodb import DynamoTable, table_named
from mlops.aws.dynamodb_requests import Put, Write
from mlops.aws.transient import CONDITION_FAILED, NOT_DONE, error_codes
from mlops.domain.dataset_deletion import DatasetDeletion
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.history import GENESIS, SETTINGS, BrokenChain, Entry, Head, check_chain
from mlops.domain.model_settings import StoredSettings

HEADS, ALL_SETTINGS = "#heads", "#settings"
"""Partitions with an item per model. A model's name cannot begin with such a character."""
ATTEMPTS = 10

Genesis = Callable[[], Mapping[str, Any]]


class VersionConflict(Exception):
    """What was to be written with the entry has changed by now."""


class GovernanceTable:
    """Adapter of the DynamoDB table `GOVERNANCE_TABLE` (key `part`, `item`).

    The part of a model has its entries, and a mark for each entry's id, so that an entry is written once.
    """

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    @property
    def cleanups(self) -> CleanupRecords:
        """The records of cleanups."""
        return CleanupRecords(self._table)

    @property
    def bin(self) -> BinRecords:
        """The records of what is in the bin."""
        return BinRecords(self._table)

    @property
    def datasets(self) -> DatasetRecords:
        """The records of deleted data sets."""
        return DatasetRecords(self._table)

    @classmethod
    def from_environment(cls) -> "GovernanceTable":
        return _table_of(os.environ["GOVERNANCE_TABLE"])

    def append(
        self,
        model_name: str,
        kind: str,
        entry_id: str,
        detail: Mapping[str, Any],
        genesis: Genesis,
        besides: Sequence[Write] = (),
    ) -> None:
        """Add an entry to a model's history, unless one with this id is there already.

        Args:
            model_name: The model.
            kind: What the entry is about.
            entry_id: Identifies the entry: a second call with it changes nothing.
            detail: What the entry says.
            genesis: Makes what the first entry says, if there is none yet.
            besides: Further writes of this table: either all is written, or nothing.

        Raises:
            VersionConflict: The condition of the first of `besides` does not hold.
            DependencyUnavailable: Others kept writing at the same time.
        """
        self._extend(model_name, kind, entry_id, detail, genesis, besides)

    def entries(self, model_name: str) -> Iterator[Entry]:
        """Iterate over the entries of a model's history, the oldest first."""
        items = self._table.query(Key("part").eq(model_name) & Key("item").begins_with("entry#"), ConsistentRead=True)
        for item in items:
            yield Entry(int(item["seq"]), str(item["prev"]), str(item["text"]), str(item["sha256"]))

    def head(self, model_name: str) -> Head | None:
        """Return the last entry's number and hash; None if the model has no entries."""
        item = self._table.get(_head_key(model_name))
        return Head(int(item["seq"]), str(item["sha256"])) if item else None

    def examined(
        self, model_name: str, check: Callable[[list[Entry]], None] | None = None
    ) -> tuple[list[Entry], Head | None, str | None]:
        """Return the entries up to the head, the head, and what is wrong with the first entry that is; None if nothing.

        Args:
            model_name: The chain.
            check: Raises BrokenChain, too. It gets the entries of a chain that is whole.
        """
        head = self.head(model_name)
        entries = [entry for entry in self.entries(model_name) if head and entry.seq <= head.seq]
        try:
            check_chain(entries, head)
            if check is not None:
                check(entries)
        except BrokenChain as broken:
            return entries, head, str(broken)
        return entries, head, None

    def heads(self) -> dict[str, Head]:
        """Return the heads of all histories, by the name of the model."""
        items = self._table.query(Key("part").eq(HEADS), ConsistentRead=True)
        return {str(item["item"]): Head(int(item["seq"]), str(item["sha256"])) for item in items}

    def settings(self, model_name: str) -> StoredSettings:
        """Return the settings of a model; version 0, which has none, if nobody has set any.

        Raises:
            DependencyUnavailable: A later version of the platform wrote what this one cannot read.
        """
        item = self._table.get({"part": ALL_SETTINGS, "item": model_name})
        return StoredSettings.from_record(item) if item else StoredSettings()

    def deleted_data(self, address: str) -> DatasetDeletion | None:
        """Return the deletion of the data set whose file had this address, if it was deleted."""
        return self.datasets.of_address(address)

    def models_with_settings(self) -> list[str]:
        """Return the names of the models that somebody has set settings of."""
        items = self._table.query(Key("part").eq(ALL_SETTINGS), ConsistentRead=True)
        return [str(item["item"]) for item in items]

    def change_settings(self, model_name: str, stored: StoredSettings, genesis: Genesis) -> None:
        """Replace the settings of the version before `stored`, with an entry in the history.

        Raises:
            VersionConflict: They have another version by now.
            DependencyUnavailable: Others kept writing at the same time.
        """
        before = stored.version - 1
        condition = Attr("version").eq(before) if before else Attr("version").not_exists()
        record = stored.to_record()
        put = Put({"part": ALL_SETTINGS, "item": model_name, **record}, condition)
        self._extend(model_name, SETTINGS, f"settings-{stored.version}", record, genesis, [put])

    def _extend(
        self,
        model_name: str,
        kind: str,
        entry_id: str,
        detail: Mapping[str, Any],
        genesis: Genesis,
        besides: Sequence[Write],
    ) -> None:
        for attempt in range(ATTEMPTS):
            if not besides and self._table.get(_mark_key(model_name, entry_id)) is not None:
                return
            head = self.head(model_name)
            entries = [] if head else [Entry.after(None, GENESIS, GENESIS, genesis())]
            last = Head(entries[0].seq, entries[0].sha256) if entries else head
            entries.append(Entry.after(last, kind, entry_id, detail))
            try:
                self._table.transact([*besides, *_writes(model_name, head, entries, entry_id)])
                return
            except ClientError as error:
                codes = error_codes(error)
                if besides and codes[0] == CONDITION_FAILED:
                    raise VersionConflict from error
                if not {CONDITION_FAILED, *NOT_DONE} & set(codes):
                    raise
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise DependencyUnavailable(f"The history of {model_name!r} is written by many at once; try again")


def _writes(model_name: str, head: Head | None, entries: list[Entry], entry_id: str) -> Iterator[Put]:
    """Yield the writes of one transaction: entries, the mark of their id, and the head if it is still the same."""
    last = entries[-1]
    new = Attr("item").not_exists()
    for entry in entries:
        values = {"seq": entry.seq, "prev": entry.prev, "text": entry.text, "sha256": entry.sha256}
        yield Put({"part": model_name, "item": f"entry#{entry.seq:09d}", **values}, new)
    yield Put({**_mark_key(model_name, entry_id), "seq": last.seq}, new)
    same = Attr("seq").eq(head.seq) & Attr("sha256").eq(head.sha256) if head else new
    yield Put({**_head_key(model_name), "seq": last.seq, "sha256": last.sha256}, same)


def _head_key(model_name: str) -> dict[str, str]:
    return {"part": HEADS, "item": model_name}


def _mark_key(model_name: str, entry_id: str) -> dict[str, str]:
    return {"part": model_name, "item": f"mark#{entry_id}"}


@cache
def _table_of(name: str) -> GovernanceTable:
    return GovernanceTable(table_named(name))
