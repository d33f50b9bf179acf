"""Say in plain words what happened to a column, and what to look at first."""

from mlops.domain.drift.column_drift import Change, ColumnDrift, ColumnsDrift, ShareChange
from mlops.domain.drift.thresholds import Verdict

MOST_NAMED = 3
"""Columns that the sentence about all of them describes; the others are counted."""
_PRESENT_AT_ALL = 0.995
_OF_ALL_CHANGES = {
    Change.MISSING: "have no value",
    Change.UNSEEN: "have a value that training did not see",
    Change.BELOW: "are below the training range",
    Change.ABOVE: "are above the training range",
}
_QUESTIONS = {
    Change.MISSING: "does the source still fill it?",
    Change.UNSEEN: "is there a new category, or another spelling?",
    Change.BELOW: "were units changed?",
    Change.ABOVE: "were units changed?",
}


def sentence_of(column: ColumnDrift) -> str:
    """Return what happened to a column, such as `income: 38 % of the rows are above the training range (…); …?`."""
    name = "the model's answers" if column.is_prediction else column.name
    if column.moved:
        largest = column.moved[0]
        question = _QUESTIONS[largest.change]
        if column.is_prediction:
            question = "look at the inputs first."
        elif largest.change is Change.MISSING and largest.share >= _PRESENT_AT_ALL:
            question = "is the column still sent?"
        return f"{name}: {' and '.join(map(_share, column.moved))}; {question}"
    if column.distribution is Verdict.STABLE:
        return f"{name}: no change."
    return f"{name}: the values are distributed differently (PSI {column.psi:.2f}): {_largest_change(column)}."


def sentence_of_all(columns: ColumnsDrift) -> str:
    """Return the verdict on all columns in a sentence or a few."""
    if columns.note is not None:
        return f"{columns.note}."
    moved = columns.moved
    if not moved:
        first = columns.columns[0]
        return f"No column has drifted; the largest PSI is {first.psi:.3f} ({first.name}, over {columns.rows} rows)."
    named = [sentence_of(column) for column in moved[:MOST_NAMED]]
    if (left := len(moved) - len(named)) > 0:
        named.append(f"{left} further column{'s have' if left > 1 else ' has'} drifted.")
    return " ".join(named)


def _share(change: ShareChange) -> str:
    if change.change is Change.MISSING and change.share >= _PRESENT_AT_ALL:
        return f"all rows have no value ({percent(change.expected)} of the held-out rows)"
    what = _OF_ALL_CHANGES[change.change]
    return f"{percent(change.share)} of the rows {what} ({percent(change.expected)} of the held-out rows)"


def _largest_change(column: ColumnDrift) -> str:
    before, after = ([count / sum(counts) for count in counts] for counts in (column.reference.counts, column.counts))
    place = max(range(len(after)), key=lambda place: abs(after[place] - before[place]))
    name = column.reference.bins()[place]
    return f"{percent(after[place])} of the rows are in {name!r}, and {percent(before[place])} of the held-out rows"


def percent(share: float) -> str:
    """Return a share as people write it: with a decimal where it is small."""
    if share == 0:
        return "0 %"
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{max(share, 0.0001) * 100:.2g} %"
