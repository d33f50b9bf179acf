"""Answers about the columns of a table model: GET /drift/columns, and the columns in the other answers about drift."""

from typing import Any

from mlops.api.schemas.drift import ColumnDetail, ColumnMove, ColumnResult, ColumnsResult
from mlops.domain.drift.column_drift import Change, ColumnDrift, ColumnsDrift
from mlops.domain.drift.column_words import sentence_of
from mlops.domain.drift.record import MOST_COLUMNS
from mlops_contract.table_reference import MISSING, UNSEEN


def columns_result(drift: ColumnsDrift | None) -> ColumnsResult | None:
    """Return the columns of a check, those that moved most; None for models of images and vectors."""
    if drift is None:
        return None
    return ColumnsResult(
        status=drift.verdict.value,
        rows=drift.rows,
        reference_rows=drift.reference_rows,
        watched=len(drift.columns),
        moved=len(drift.moved),
        columns=[ColumnResult.model_validate(_fields(column)) for column in drift.columns[:MOST_COLUMNS]],
        note=drift.note,
    )


def column_moves(drift: ColumnsDrift | None) -> list[ColumnMove]:
    """Return the columns with a warning or an alert, at most MOST_COLUMNS."""
    return [
        ColumnMove(name=column.name, status=column.verdict.value, psi=round(column.psi, 6), message=sentence_of(column))
        for column in (drift.moved[:MOST_COLUMNS] if drift is not None else ())
    ]


def column_detail(column: ColumnDrift) -> ColumnDetail:
    """Return a column with both histograms."""
    histograms = {
        "bins": column.reference.bins(),
        "counts": column.counts,
        "reference_counts": column.reference.counts,
    }
    return ColumnDetail.model_validate(_fields(column) | histograms)


def _fields(column: ColumnDrift) -> dict[str, Any]:
    rows, shares = sum(column.reference.counts), {change: column.share(change) for change in Change}
    unseen = shares[Change.UNSEEN]
    return {
        "name": column.name,
        "role": "prediction" if column.is_prediction else "input",
        "kind": column.reference.kind.value,
        "status": column.verdict.value,
        "changes": [change.value for change in column.changes],
        "message": sentence_of(column) if column.changes else None,
        "psi": round(column.psi, 6),
        "raw_psi": column.raw_psi,
        "p_value": column.p_value,
        "missing": shares[Change.MISSING],
        "reference_missing": column.reference.counts[MISSING] / rows,
        "unseen": unseen,
        "reference_unseen": None if unseen is None else column.reference.counts[UNSEEN] / rows,
        "below_range": shares[Change.BELOW],
        "above_range": shares[Change.ABOVE],
    }
