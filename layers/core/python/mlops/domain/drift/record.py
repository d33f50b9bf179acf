"""The result of a drift check of a served version, for the table and for events."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, get_args

from mlops.domain.drift.column_drift import Change, ColumnDrift
from mlops.domain.drift.column_words import sentence_of
from mlops.domain.drift.verdict import Against, Drift, Verdict

SMALLEST_P_VALUE = 1e-99
"""Smaller p-values are recorded as this one. DynamoDB has no number below 1e-130."""
MOST_COLUMNS = 20
"""Of the columns, those that moved most are recorded; their names become labels of metrics."""


@dataclass(frozen=True)
class SignalRecord:
    """The distance of one signal from the reference or the baseline. `p` is the p-value."""

    against: Against
    signal: str
    psi: float
    p: float


@dataclass(frozen=True)
class ColumnRecord:
    """One of the columns that moved most. `message` says what happened to it; it is None if the column is stable.

    Attributes:
        psi: That of the distribution, less what chance alone gives.
        missing, unseen, out_of_range: Shares of the rows.
    """

    name: str
    status: Verdict
    psi: float
    missing: float
    unseen: float
    out_of_range: float
    message: str | None = None

    @classmethod
    def of(cls, column: ColumnDrift) -> "ColumnRecord":
        """Make the record of a compared column."""
        shares = {change: round(column.share(change) or 0.0, 6) for change in Change}
        return cls(
            name=column.name,
            status=column.verdict,
            psi=round(column.psi, 6),
            missing=shares[Change.MISSING],
            unseen=shares[Change.UNSEEN],
            out_of_range=round(shares[Change.BELOW] + shares[Change.ABOVE], 6),
            message=sentence_of(column) if column.changes else None,
        )

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "ColumnRecord":
        """Read a record. Raises KeyError, TypeError or ValueError."""
        numbers = {name: float(record[name]) for name in ("psi", "missing", "unseen", "out_of_range")}
        message = record.get("message")
        return cls(str(record["name"]), Verdict(record["status"]), **numbers, message=message and str(message))


@dataclass(frozen=True)
class DriftRecord:
    """The record of a check.

    Attributes:
        psi, signal, against: The signal that gave the verdict; None without enough data. If a column gave it, `signal`
            is None, and `psi` too unless the column's distribution has changed.
        column: The column that gave the verdict, alone or with a signal.
        columns: Of a table model, the MOST_COLUMNS that moved most, in this order.
        checked_at: ISO 8601 in UTC.
        alerted_at: Unix time at which the current alert was last sent.
        alerted_columns: The columns that it has named so far.
    """

    model_name: str
    model_version: int
    status: Verdict
    psi: float | None
    signal: str | None
    against: Against | None
    message: str
    samples: int
    checked_at: str
    signals: tuple[SignalRecord, ...]
    column: str | None = None
    columns: tuple[ColumnRecord, ...] = ()
    alerted_at: float | None = None
    alerted_columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, model_name: str, model_version: int, drift: Drift, checked_at: str) -> "DriftRecord":
        """Make the record of a verdict."""
        compared = drift.columns.columns if drift.columns is not None else ()
        return cls(
            model_name=model_name,
            model_version=model_version,
            status=drift.verdict,
            psi=round(drift.psi, 6) if drift.psi is not None else None,
            signal=drift.worst.signal if drift.worst else None,
            against=drift.against,
            column=drift.column.name if drift.column is not None else None,
            columns=tuple(map(ColumnRecord.of, compared[:MOST_COLUMNS])),
            message=drift.message,
            samples=drift.current.count,
            checked_at=checked_at,
            signals=tuple(
                SignalRecord(
                    comparison.against, signal.signal, round(signal.psi, 6), max(signal.p_value, SMALLEST_P_VALUE)
                )
                for comparison in drift.comparisons
                for signal in comparison.signals
            ),
        )

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "DriftRecord":
        """Read a record. Unknown attributes are ignored.

        Raises:
            ValueError: This version cannot read the record. The message says why.
        """
        try:
            return cls(
                model_name=str(record["model_name"]),
                model_version=int(record["model_version"]),
                status=Verdict(record["status"]),
                psi=_optional(record.get("psi")),
                signal=record.get("signal"),
                against=_against(record["against"]) if record.get("against") else None,
                message=str(record["message"]),
                samples=int(record["samples"]),
                checked_at=_time(record["checked_at"]),
                signals=tuple(
                    SignalRecord(
                        _against(signal["against"]), str(signal["signal"]), float(signal["psi"]), float(signal["p"])
                    )
                    for signal in record["signals"]
                ),
                column=record.get("column"),
                columns=_columns(record.get("columns")),
                alerted_at=_optional(record.get(_ALERTED_AT)),
                alerted_columns=tuple(map(str, record.get("alerted_columns") or ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"the drift record of {record.get('model_name')!r} cannot be read: {error!r}") from error

    def to_record(self) -> dict[str, Any]:
        """Return the record as an item of the table."""
        columns = {"columns": self.detail()["columns"] or None, "alerted_columns": self.alerted_columns or None}
        return {**self.detail(), **columns, _ALERTED_AT: self.alerted_at}

    def detail(self) -> dict[str, Any]:
        """Return the detail of the events `Drift Alert` and `Drift Recovered`."""
        return {name: value for name, value in asdict(self).items() if not name.startswith("alerted_")}


_ALERTED_AT = "told_at"
"""The name of `alerted_at` in records, which earlier and later versions of the platform read too."""


def _columns(value: Any) -> tuple[ColumnRecord, ...]:
    """Return the columns; none if they have a form that a later version of the platform writes."""
    return tuple(map(ColumnRecord.from_record, value)) if isinstance(value, list) else ()


def _against(value: Any) -> Against:
    if value not in get_args(Against):
        raise ValueError(f"against is {value!r}")
    against: Against = value
    return against


def _time(value: Any) -> str:
    datetime.fromisoformat(value)
    return str(value)


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)
