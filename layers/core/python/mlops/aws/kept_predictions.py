"""Delete what the feedback table keeps of a prediction: the answers, and the labels that were given.

The totals stay as they are: what a label has added to them says nothing about anybody. The answers go first, because a
label is counted only while they are there. So no label comes after them, and those that were there are found.
"""

from collections import Counter
from typing import Literal

from boto3.dynamodb.conditions import Attr, Key

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.dynamodb_requests import Delete, Item
from mlops.aws.label_place import ANSWERS, LABEL, LabelPlace, key_of
from mlops.aws.label_totals import LabelTotals

Kind = Literal["answers", "labels"]


class KeptPredictions:
    """Deletes from the table `FEEDBACK_TABLE`, whose totals are `totals`."""

    def __init__(self, table: DynamoTable, totals: LabelTotals) -> None:
        self._table, self._totals = table, totals

    def delete(self, place: LabelPlace) -> Counter[Kind]:
        """Delete what is kept of a prediction, with the labels of all its rows. Can be repeated.

        Returns:
            How many requests' answers, and how many labels were there.

        Raises:
            ClientError: DynamoDB refuses. The call can be repeated.
        """
        removed: Counter[Kind] = Counter()
        if self._table.get(key_of(place.series, ANSWERS), ["slot"]) is not None:
            self._table.delete(key_of(place.series, ANSWERS))
            removed["answers"] += 1
        for item in self._table.query(Key("series").eq(place.series), ConsistentRead=True):
            if item["slot"].startswith(LABEL):
                self._delete_label(place.model_name, item)
                removed["labels"] += 1
            else:
                self._table.delete(key_of(place.series, item["slot"]))
        return removed

    def _delete_label(self, model_name: str, label: Item) -> None:
        """Delete a label. One that waited for its answer waits no more, and that is counted once."""
        key = key_of(label["series"], label["slot"])
        while "counted" not in label:
            same = Delete(key, Attr("revision").eq(label["revision"]))
            if self._table.transact_if([same, self._totals.waits(model_name, label["parked_in"], "joined")]):
                return
            found = self._table.get(key)  # it was replaced, counted or deleted meanwhile
            if found is None:
                return
            label = found
        self._table.delete(key)
