"""The records of what is in the bin: items in a part of the governance table, beside the histories."""

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.dynamodb_requests import Delete, Item, Put
from mlops.domain.bin import CLAIM, BinEntry, BinKind, BinState, identity_of
from mlops.domain.errors import Conflict
from mlops.domain.timestamps import before

PART = "#bin"


class BinRecords:
    """Adapter of the part `#bin` of the table `GOVERNANCE_TABLE`. All reads are consistent."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def find(self, identity: str) -> BinEntry | None:
        """Return the entry with this `BinEntry.identity`; None if there is none, or a claim that holds no more."""
        record = self._table.get(_key(identity))
        entry = BinEntry.from_record(record) if record is not None else None
        return entry if entry is not None and entry.binds else None

    def model(self, model_name: str) -> BinEntry | None:
        """Return the entry of a model, if it is in the bin."""
        return self.find(identity_of(BinKind.MODEL, model_name))

    def version(self, model_name: str, version: int, registered_at: str = "") -> BinEntry | None:
        """Return the entry by which a version is in the bin: its own, or the model's.

        Args:
            model_name: The model.
            version: The number.
            registered_at: When the version was registered: a later one with the same number is not in the bin.
        """
        for identity in (identity_of(BinKind.VERSION, model_name, version), identity_of(BinKind.MODEL, model_name)):
            entry = self.find(identity)
            if entry is not None and version in entry.numbers and entry.covers(registered_at):
                return entry
        return None

    def all(self) -> list[BinEntry]:
        """Return all that is in the bin, the oldest first."""
        items = self._table.query(Key("part").eq(PART), ConsistentRead=True)
        entries = (BinEntry.from_record(item) for item in items)
        return sorted((entry for entry in entries if entry.binds), key=lambda entry: entry.entry_id)

    def claim(self, entry: BinEntry) -> None:
        """Claim something before it is checked whether it may be deleted: from now on, no transition of it begins.

        Raises:
            Conflict: Somebody else deletes it just now.
        """
        lapsed = Attr("state").eq(BinState.CLAIMED) & Attr("deleted_at").lt(before(CLAIM))
        if not self._table.put(_item(entry), Attr("item").not_exists() | lapsed):
            raise Conflict(f"{entry} is being deleted by somebody else just now; look at it again")

    def unclaim(self, entry: BinEntry) -> None:
        """Remove a claim, if it is still there."""
        self._table.delete(_key(entry.identity), _same(entry, BinState.CLAIMED))

    def note_mirrored(self, entry: BinEntry, mirrored: bool) -> bool:
        """Note whether MLflow shows that it is in the bin; False if it is not there any more."""
        condition = _same(entry, BinState.KEPT, BinState.PURGING)
        return self._table.update(_key(entry.identity), {"mirrored": mirrored}, condition=condition) is not None

    def begin_purge(self, entry: BinEntry) -> bool:
        """Note that it cannot be restored any more; False if it was restored. Can be repeated."""
        values = {"state": BinState.PURGING}
        condition = _same(entry, BinState.KEPT, BinState.PURGING)
        return self._table.update(_key(entry.identity), values, condition=condition) is not None


def put_in(entry: BinEntry) -> Put:
    """Return the write that turns the claim of an entry into the entry itself, well before the claim lapses."""
    return Put(_item(entry), _same(entry, BinState.CLAIMED) & Attr("deleted_at").gt(before(CLAIM / 2)))


def take_out(entry: BinEntry, *states: BinState) -> Delete:
    """Return the write that removes an entry that is in one of these states."""
    return Delete(_key(entry.identity), _same(entry, *states))


def _item(entry: BinEntry) -> Item:
    return {**_key(entry.identity), **entry.to_record()}


def _key(identity: str) -> dict[str, str]:
    return {"part": PART, "item": identity}


def _same(entry: BinEntry, *states: BinState) -> ConditionBase:
    return Attr("entry_id").eq(entry.entry_id) & Attr("state").is_in([str(state) for state in states])
