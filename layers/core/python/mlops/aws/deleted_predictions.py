"""Marks of predictions whose data was deleted, in the feedback table. They keep out what comes late.

Whoever deletes writes the marks first, and then deletes. Whoever keeps something writes it first, and then looks for a
mark. So one of the two sees what the other did, whenever it happens. A mark has a hash in place of the id.

Most models have no marks, which one query shows.
"""

import time
from collections.abc import Collection, Iterable

from boto3.dynamodb.conditions import Attr, Key

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.dynamodb_requests import ConditionCheck
from mlops.aws.label_place import LabelPlace
from mlops.domain.feedback.own_id import hashed

_DAY = 24 * 3600
_LATE_DAYS = 15
"""Lines of predict's log are counted up to 14 days after they were written."""


class DeletedPredictions:
    """Adapter of the marks in the table `FEEDBACK_TABLE`.

    Args:
        table: The table.
        waiting_seconds: How long labels may come after their prediction.
    """

    def __init__(self, table: DynamoTable, waiting_seconds: int) -> None:
        self._table, self._seconds = table, max(waiting_seconds, _LATE_DAYS * _DAY) + _DAY

    def mark(self, model_name: str, names: Iterable[str], at: int) -> None:
        """Write marks. Can be repeated.

        Args:
            model_name: The model.
            names: Of predictions as `name_of` has them, or of hours as `samples_of` has them.
            at: Unix time. What was made until then is deleted.
        """
        self._table.put_many(
            {"series": _series(model_name), "slot": name, "deleted_at": at, "expires": at + self._seconds}
            for name in dict.fromkeys(names)
        )

    def since(self, model_name: str, names: Collection[str]) -> dict[str, int]:
        """Return until which Unix time what these names stand for is deleted; those without a mark are left out."""
        condition = Key("series").eq(_series(model_name))
        if not names or not self._table.page(condition, 1, ConsistentRead=True).items:
            return {}
        keys = [{"series": _series(model_name), "slot": name} for name in dict.fromkeys(names)]
        found = self._table.get_many(keys)
        return {item["slot"]: item["deleted_at"] for item in found if item["expires"] > time.time()}

    def among(self, places: Iterable[LabelPlace]) -> set[LabelPlace]:
        """Return those of the places whose prediction was made before it was deleted."""
        deleted: set[LabelPlace] = set()
        by_model: dict[str, list[LabelPlace]] = {}
        for place in places:
            by_model.setdefault(place.model_name, []).append(place)
        for model_name, found in by_model.items():
            marks = self.since(model_name, {name_of(place) for place in found})
            deleted |= {place for place in found if place.made <= marks.get(name_of(place), -1)}
        return deleted

    def has(self, place: LabelPlace) -> bool:
        """Return whether there is a mark of a prediction, whenever it was made."""
        return bool(self.since(place.model_name, {name_of(place)}))

    def none_of(self, place: LabelPlace) -> ConditionCheck:
        """Return the check that there is no mark of a prediction."""
        key = {"series": _series(place.model_name), "slot": name_of(place)}
        return ConditionCheck(key, Attr("series").not_exists() | Attr("expires").lte(int(time.time())))


def name_of(place: LabelPlace) -> str:
    """Return the name of a prediction's mark, from which nobody learns the id."""
    return f"prediction#{hashed(place.id)}"


def samples_of(hour: str) -> str:
    """Return the name of the mark of an hour's samples, such as `samples#2026-01-31T23`."""
    return f"samples#{hour}"


def _series(model_name: str) -> str:
    return f"deleted#{model_name}"
