"""The conversions table: how far the conversion of a version has come, and which transitions wait for it."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from mlops.aws.dynamodb import DynamoTable, table_named
from mlops.domain.conversion import Conversion, ConversionStatus
from mlops.domain.timestamps import now


class ConversionsTable:
    """Adapter of the DynamoDB table `CONVERSIONS_TABLE` (key `model_name`, `version`), with the last conversion of each
    version. The sparse index `by_open` holds those that run."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    @classmethod
    def from_environment(cls) -> "ConversionsTable":
        return cls(table_named(os.environ["CONVERSIONS_TABLE"]))

    def get(self, model_name: str, version: int, registered_at: str | None = None) -> Conversion | None:
        """Return the last conversion of a version; None if there was none.

        Args:
            model_name: The model.
            version: The version.
            registered_at: When the version was registered. The conversion of an earlier version with the same number
                does not count. None takes any.
        """
        record = self._table.get({"model_name": model_name, "version": version})
        if record is None or registered_at not in (None, record["registered_at"]):
            return None
        return Conversion.from_record(record)

    def all(self) -> Iterator[Conversion]:
        """Iterate over the last conversions of all versions."""
        yield from map(Conversion.from_record, self._table.scan())

    def claim(self, conversion: Conversion) -> bool:
        """Record a new conversion; False if one of the version runs or has succeeded."""
        free = (
            Attr("conversion_id").not_exists()
            | Attr("status").eq(ConversionStatus.FAILED)
            | Attr("registered_at").ne(conversion.registered_at)
        )
        return self._table.put(conversion.to_record(), free)

    def submitted(self, conversion: Conversion, batch_job_id: str) -> None:
        """Record Batch's id of the job."""
        self._update(conversion, Attr("conversion_id").eq(conversion.conversion_id), {"batch_job_id": batch_job_id})

    def wait(self, conversion: Conversion, transition_id: str) -> bool:
        """Record that a transition waits for the end of a conversion; False if it has ended."""
        record = self._table.update(
            _key(conversion), add={"waiting": {transition_id}}, condition=_still_runs(conversion)
        )
        return record is not None

    def finish(self, conversion: Conversion, status: ConversionStatus, **result: Any) -> None:
        """Record the end of a conversion, unless it has ended before."""
        values = {"status": status, "completed_at": now(), **result}
        self._update(conversion, _still_runs(conversion), values, remove=("open",))

    def running(self) -> list[Conversion]:
        """Return the conversions that run, from an index, which may be a moment behind."""
        return [
            Conversion.from_record(record) for record in self._table.query(Key("open").eq("1"), IndexName="by_open")
        ]

    def _update(
        self, conversion: Conversion, condition: ConditionBase, values: Mapping[str, Any], remove: tuple[str, ...] = ()
    ) -> None:
        self._table.update(_key(conversion), values, remove=remove, condition=condition)


def _key(conversion: Conversion) -> dict[str, Any]:
    return {"model_name": conversion.model_name, "version": conversion.version}


def _still_runs(conversion: Conversion) -> ConditionBase:
    return Attr("conversion_id").eq(conversion.conversion_id) & Attr("status").eq(ConversionStatus.RUNNING)
