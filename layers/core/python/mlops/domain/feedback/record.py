"""The result of a check of a version's labels, for the table and for events."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mlops.domain.feedback.verdict import Performance


@dataclass(frozen=True)
class PerformanceRecord:
    """The record of a check.

    Attributes:
        metric: `accuracy` or `mae`; None without labels.
        value: The metric of the predictions that are old enough; None without labels.
        labels: How many of them have a label.
        coverage: Which share of those that were kept.
        checked_at: ISO 8601 in UTC.
        estimated: The accuracy that the confidences of all predictions let expect; None without an estimate.
        alerted_at: Unix time at which the current alert was last sent.
    """

    model_name: str
    model_version: int
    status: Performance
    metric: str | None
    value: float | None
    message: str
    labels: int
    coverage: float | None
    checked_at: str
    alerted_at: float | None = None
    estimated: float | None = None

    def detail(self) -> dict[str, Any]:
        """Return the record as an event has it."""
        fields = asdict(self)
        del fields["alerted_at"]
        return fields

    def to_record(self) -> dict[str, Any]:
        """Return the attributes to store."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "PerformanceRecord":
        """Read a record. Unknown attributes are ignored.

        Raises:
            ValueError: This version cannot read the record.
        """
        try:
            return cls(
                model_name=str(record["model_name"]),
                model_version=int(record["model_version"]),
                status=Performance(record["status"]),
                metric=record.get("metric"),
                value=_optional(record.get("value")),
                message=str(record["message"]),
                labels=int(record["labels"]),
                coverage=_optional(record.get("coverage")),
                checked_at=str(record["checked_at"]),
                alerted_at=_optional(record.get("alerted_at")),
                estimated=_optional(record.get("estimated")),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the record of a performance check cannot be read: {error!r}") from error


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)
