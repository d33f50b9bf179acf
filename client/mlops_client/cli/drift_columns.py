"""mlops drift --columns: the columns of a table model, and the histograms of those that moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from mlops_client.cli import drawing, output
from mlops_client.cli.options import new_client
from mlops_client.cli.tables import Column, Shown

if TYPE_CHECKING:
    from mlops_client.models import ColumnDetail, ColumnResult, Thresholds

VERDICT_STYLES = {"stable": "green", "warning": "yellow", "alert": "bold red", "insufficient_data": "dim"}
BAR_WIDTH = 20
MOST_HISTOGRAMS = 5
"""Of the columns that moved; the others are in the table, and `--column` shows them."""
_COLUMNS = [
    Column("column", 9),
    Column("PSI", 8, right=True),
    Column("missing", 6, right=True),
    Column("unseen", 5, right=True),
    Column("out of range", 5, right=True),
    Column("verdict", 7),
    Column("", 1),
]


def show(model_name: str | None, current_hours: int | None, column: str | None, as_json: bool) -> None:
    """Print all columns or the named one, those that moved most first."""
    answer = new_client().drift_columns(model_name, current_hours, column)
    if as_json:
        output.print_json(answer)
        return
    out = output.console()
    title = f"  {answer.model_name} version {answer.model_version}"
    out.print(Text.assemble(verdict(answer.status), title), soft_wrap=True)
    if column is None:
        out.print(answer.message, soft_wrap=True)
    if answer.columns:
        show_table(answer.columns, answer.thresholds)
    shown = answer.columns if column is not None else [entry for entry in answer.columns if entry.changes]
    for entry in shown[:MOST_HISTOGRAMS]:
        out.print()
        out.print(entry.message or f"{entry.name}: no change.", soft_wrap=True)
        _show_histograms(entry)
    output.note(
        f"{answer.rows} counted rows of {answer.current.samples} predictions in {answer.current.hours} h, compared "
        f"with {answer.reference_rows} rows held out in training"
    )


def show_table(columns: Sequence[ColumnResult | ColumnDetail], thresholds: Thresholds) -> None:
    """Print the columns as a table."""
    out = output.console()
    full = 2 * thresholds.alert or 1
    rows = [
        [
            entry.name,
            output.decimals(entry.psi),
            _share(entry.missing),
            _share(entry.unseen),
            _share(None if entry.below_range is None else entry.below_range + (entry.above_range or 0)),
            verdict(entry.status),
            Text(drawing.bar(entry.psi / full, BAR_WIDTH, out), style=VERDICT_STYLES.get(entry.status, "")),
        ]
        for entry in columns
    ]
    output.show(_COLUMNS, rows)


def verdict(status: str) -> Text:
    """Return a verdict in its colour."""
    return Text(status.replace("_", " "), style=VERDICT_STYLES.get(status, ""))


def _show_histograms(column: ColumnDetail) -> None:
    out = output.console()
    now, before = sum(column.counts) or 1, sum(column.reference_counts) or 1
    pairs = zip(column.bins, column.counts, column.reference_counts, strict=True)
    shares = [(name, count / now, known / before) for name, count, known in pairs if count or known]
    full = max((max(current, known) for _, current, known in shares), default=1)
    rows = [
        [
            name,
            _share(current),
            drawing.bar(current / full, BAR_WIDTH, out),
            _share(known),
            drawing.bar(known / full, BAR_WIDTH, out),
        ]
        for name, current, known in shares
    ]
    headings = [
        Column("value", 9),
        Column("now", 8, right=True),
        Column("", 5),
        Column("training", 7, right=True),
        Column("", 4),
    ]
    output.show(headings, rows)


def _share(share: float | None) -> str:
    return "" if share is None else Shown(f"{100 * share:.1f} %", share)
