"""Ask for the rows of a CSV file. Warnings and errors name the line in place of the row's index."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mlops_client.csv_rows import CsvRows
from mlops_client.errors import BadInput, Invalid
from mlops_client.models import BatchPrediction, ModelContract
from mlops_client.rows import Row

PREDICTION, CONFIDENCE = "prediction", "confidence"


def answered(table: CsvRows, contract: ModelContract, ask: Callable[[list[Row]], BatchPrediction]) -> BatchPrediction:
    """Return the answers to the rows of a file.

    Args:
        table: The file.
        contract: What the model takes.
        ask: Gets the answers to rows.

    Raises:
        BadInput: The model does not take a value. Names line, column and remedy.
    """
    try:
        answer = ask(table.rows(contract))
    except Invalid as error:
        raise BadInput(_explained(table, contract, error)) from error
    return replace(answer, warnings=[_placed(table, warning) for warning in answer.warnings or ()] or None)


def answer_columns(answer: BatchPrediction) -> dict[str, Sequence[Any]]:
    """Return what stands beside the rows: predictions, and confidences unless the model predicts quantities."""
    columns: dict[str, Sequence[Any]] = {PREDICTION: answer.predictions}
    return columns if answer.confidences is None else {**columns, CONFIDENCE: answer.confidences}


def check_free(table: CsvRows) -> None:
    """Raises BadInput: a column of the file has the name of one that is added."""
    if taken := {PREDICTION, CONFIDENCE} & set(table.header):
        raise BadInput(f"{table.path} has a column {taken.pop()!r} already; rename it, or leave out --out")


def _placed(table: CsvRows, warning: str) -> str:
    """Return a warning such as `rows.3.city: …` with the line in place of the index."""
    field, separator, message = warning.partition(": ")
    place = _place(field)
    return f"line {table.lines[place[0]]}, {place[1]}: {message}" if place and separator else warning


def _explained(table: CsvRows, contract: ModelContract, error: Invalid) -> str:
    """Return the refusals, each column's once, with line, column and remedy."""
    forms = {column.name: column.form for column in contract.columns or ()}
    found: dict[tuple[str, str], str] = {}
    for refusal in error.errors:
        place = _place(refusal.get("field", ""))
        if place is None:  # not about a column, but about the model
            return str(error)
        index, name = place
        message = refusal.get("message", "")
        where = f"{table.path}: line {table.lines[index]}, column {name!r}: {message}"
        found.setdefault((name, message), where + _remedy(table.cell(index, name), name, message, forms.get(name)))
    return "; ".join(found.values()) or str(error)


def _place(field: str) -> tuple[int, str] | None:
    """Return index and column of a field such as `rows.3.age`; None for another field."""
    parts = field.split(".", 2)
    return (int(parts[1]), parts[2]) if len(parts) == 3 and parts[0] == "rows" and parts[1].isdigit() else None


def _remedy(cell: str | None, name: str, message: str, form: str | None) -> str:
    """Return what helps: leaving out a column, or writing a cell as the contract's form says."""
    if "is not a column" in message:
        return f". To leave it out: --ignore {shlex.quote(name)}"
    if not cell or not message.endswith("not a string"):
        return ""
    written = f"; this model's files have {form}" if form else ""
    return f". The cell has {cell!r}{written}; an empty cell is a missing value"
