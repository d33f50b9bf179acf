"""The result of a proof."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from mlops_contract import Column, Contract


class Kind(StrEnum):
    """Which rows were asked."""

    HELD_OUT = "held_out"
    """Rows that the training did not see, as far as the narrowed contract allows them."""
    NULL = "null"
    """A column is null."""
    UNSEEN = "unseen"
    """A category has a value that training did not see."""
    TEXT = "text"
    """A column of text, whose values nobody listed, has unusual ones."""
    EXTREME = "extreme"
    """A number is at its extremes, or zero."""
    BEYOND = "beyond"
    """A number is beyond its range."""
    THRESHOLD = "threshold"
    """A number is at a threshold of the model, or at a quantile if no thresholds are known, or beside it."""
    SINGLE = "single"
    """A row is asked alone, and the answer compared with that of the batch."""


_NARROWING = (Kind.NULL, Kind.UNSEEN)


@dataclass(frozen=True)
class Check:
    """What one kind of row showed.

    Attributes:
        kind: Which rows were asked.
        column: The column that was changed for them, if one was.
        asked: How many.
        off: To how many the answers differ by more than the tolerance, or only one of the two models answered.
        largest: The largest difference of the answers; infinite where one is not a number, 0 if none was compared.
        worst: The row with that difference, if any answers differ by more than the tolerance.
        error: Why one of the models refused the rows, or "".
    """

    kind: Kind
    column: str | None
    asked: int
    off: int
    largest: float
    worst: Mapping[str, Any] | None = None
    error: str = ""

    def to_document(self) -> dict[str, Any]:
        """Return the check as a JSON object."""
        largest = self.largest if self.largest < float("inf") else None
        document: dict[str, Any] = {"rows": self.kind.value, "asked": self.asked, "off": self.off, "largest": largest}
        optional = {"column": self.column, "worst": self.worst and dict(self.worst), "error": self.error}
        return document | {name: value for name, value in optional.items() if value}


@dataclass(frozen=True)
class Proof:
    """What the comparison of the original and the ONNX model showed.

    Attributes:
        checks: One for each kind of row and column.
        null_tokens: The text by which each column of text says null, where the two models agree on it.
        tolerance: By how much answers may differ: probabilities, or parts of `scale`.
        scale: The target's interquartile range for regression, and 1 for classification.
    """

    checks: tuple[Check, ...]
    null_tokens: Mapping[str, str]
    tolerance: float
    scale: float

    def passes(self, tolerance: float = 0.001) -> bool:
        """Return whether the ONNX model answers as the original does, within its narrowed contract.

        Nulls and unseen categories that disagree do not count, because that contract refuses them; nor do numbers
        beyond their range that one of the models refuses.

        Args:
            tolerance: The share of each kind of row that may disagree.
        """
        counted = [check for check in self.checks if not _narrows(check)]
        return any(check.kind is Kind.HELD_OUT and check.asked for check in counted) and all(
            sum(check.off for check in counted if check.kind is kind)
            <= tolerance * sum(check.asked for check in counted if check.kind is kind)
            for kind in Kind
        )

    def disagreement(self) -> str:
        """Return in words where the two models disagree, of what counts: held-out rows first, at most three checks."""
        wrong = [check for check in self.checks if check.off and not _narrows(check)]
        wrong.sort(key=lambda check: check.kind is not Kind.HELD_OUT)
        return "; ".join(map(_shown, wrong[:3])) or "no held-out row could be compared"

    def narrowed(self, contract: Contract) -> Contract:
        """Return the contract as far as it was proved.

        A column whose nulls disagree may not be null. One whose unseen values disagree is closed, and so is one of
        numbers beyond whose range one of the models refuses to answer.
        """
        return replace(contract, columns=tuple(self._narrowed(column) for column in contract.columns))

    def _narrowed(self, column: Column) -> Column:
        wrong = {check.kind for check in self.checks if check.column == column.name and check.off and _narrows(check)}
        if Kind.NULL in wrong:
            column = replace(column, null_ok=False, absent_ok=False)
        if Kind.UNSEEN in wrong or Kind.BEYOND in wrong:
            column = replace(column, closed=True)
        return replace(column, null_token=self.null_tokens.get(column.name, column.null_token))

    def to_document(self) -> dict[str, Any]:
        """Return the proof as a JSON object."""
        return {
            "passes": self.passes(),
            "tolerance": self.tolerance,
            "scale": self.scale,
            "null_tokens": dict(self.null_tokens),
            "checks": [check.to_document() for check in self.checks],
        }


def _narrows(check: Check) -> bool:
    """Return whether a disagreement narrows the contract, which then refuses such rows. A tensor has no columns."""
    narrows = check.kind in _NARROWING or (check.kind is Kind.BEYOND and bool(check.error))
    return narrows and check.column is not None


def _shown(check: Check) -> str:
    where = f" in the column {check.column!r}" if check.column else ""
    how = f" ({check.error})" if check.error else f", by up to {check.largest:.2g}"
    return f"{check.off} of {check.asked} rows of the kind {check.kind.value}{where}{how}"
