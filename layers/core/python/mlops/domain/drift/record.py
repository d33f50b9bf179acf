"""The result of a drift check of a served version, for the table and for events."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, get_args

from mlops.domain.drift.verdict import Against, Drift, Verdict

SMALLEST_P_VALUE = 1e-99
"""Smaller p-values are recorded as this one. DynamoDB has no number below 1e-130."""


@dataclass(frozen=True)
class SignalRecord:
    """The distance of one signal from the reference or the baseline. `p` is the p-value."""

    against: Against
    signal: str
    psi: float
    p: float


@dataclass(frozen=True)
class DriftRecord:
    """The record of a check.

    Attributes:
        psi, signal, against: The signal that gave the verdict; None without enough data.
        checked_at: ISO 8601 in UTC.
        alerted_at: Unix time at which the current alert was last sent.
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
    alerted_at: float | None = None

    @classmethod
    def of(cls, model_name: str, model_version: int, drift: Drift, checked_at: str) -> "DriftRecord":
        """Make the record of a verdict."""
        worst, deciding = drift.worst, drift.deciding
        return cls(
            model_name=model_name,
            model_version=model_version,
            status=drift.verdict,
            psi=round(worst.psi, 6) if worst else None,
            signal=worst.signal if worst else None,
            against=deciding.against if deciding else None,
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
                alerted_at=_optional(record.get(_ALERTED_AT)),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"the drift record of {record.get('model_name')!r} cannot be read: {error!r}") from error

    def to_record(self) -> dict[str, Any]:
        """Return the record as an item of the table."""
        return {**self.detail(), _ALERTED_AT: self.alerted_at}

    def detail(self) -> dict[str, Any]:
        """Return the detail of the events `Drift Alert` and `Drift Recovered`."""
        return {name: value for name, value in asdict(self).items() if name != "alerted_at"}


_ALERTED_AT = "told_at"
"""The name of `alerted_at` in records, which earlier and later versions of the platform read too."""


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
