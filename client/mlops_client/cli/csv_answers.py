"""mlops predict --csv: ask for the rows of a file, and show or write the answers beside them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from mlops_client.cli import output
from mlops_client.cli.options import new_client
from mlops_client.cli.output import Column
from mlops_client.csv_rows import TEXT, CsvRows, read_csv
from mlops_client.errors import BadInput, Invalid
from mlops_client.models import BatchPrediction

PREDICTION, CONFIDENCE = "prediction", "confidence"


def predict_csv(
    path: Path,
    out: Path | None,
    text: list[str],
    ignored: list[str],
    model_name: str | None,
    as_json: bool,
    explain: bool | str = False,
) -> None:
    """Predict the rows of a CSV file.

    Args:
        path: The file.
        out: The file to write; without it the rows are shown.
        text: Columns to send as text.
        ignored: Columns that are not sent.
        model_name: The registered model; None is the default one.
        as_json: Whether to print JSON.
        explain: Whether the answers are explained, or the class that is.

    Raises:
        BadInput: The file cannot be used, or the model does not take a column. Names line, column and remedy.
    """
    table = read_csv(path, text, ignored)
    if out and (taken := {PREDICTION, CONFIDENCE} & set(table.header)):
        raise BadInput(f"{path} has a column {taken.pop()!r} already; rename it, or leave out --out")
    try:
        answer = new_client().predict_batch(rows=table.rows(), model_name=model_name, explain=explain)
    except Invalid as error:
        raise BadInput(_explained(table, error)) from error
    beside: dict[str, Sequence[Any]] = {PREDICTION: answer.predictions}
    if answer.confidences is not None:  # a model that predicts quantities has none
        beside[CONFIDENCE] = answer.confidences
    if out:
        table.write(out, beside)
    if as_json:
        output.print_json(answer)
    elif not out:
        _show(table, answer)
    for warning in answer.warnings or ():
        output.note(_placed(table, warning))
    written = f"; written to {out}" if out else ""
    output.note(f"{answer.batch_size} predictions by {answer.model_name} version {answer.model_version}{written}")


def _show(table: CsvRows, answer: BatchPrediction) -> None:
    columns = [*(Column(name, 3) for name in table.header), Column(PREDICTION, 9)]
    rows: list[list[Any]] = [
        [*map(Text, cells), Text(str(prediction), style="bold")]
        for cells, prediction in zip(table.cells, answer.predictions, strict=True)
    ]
    if answer.confidences is not None:
        columns.append(Column(CONFIDENCE, 7, right=True))
        rows = [[*row, f"{confidence:.1%}"] for row, confidence in zip(rows, answer.confidences, strict=True)]
    output.show(columns, rows, "no predictions")


def _placed(table: CsvRows, warning: str) -> str:
    """Return a warning such as `rows.3.city: …` with the line in place of the index."""
    field, separator, message = warning.partition(": ")
    place = _place(field)
    return f"line {table.lines[place[0]]}, {place[1]}: {message}" if place and separator else warning


def _explained(table: CsvRows, error: Invalid) -> str:
    """Return the refusals, each column's once, with line, column and remedy."""
    found: dict[tuple[str, str], str] = {}
    for refusal in error.errors:
        place = _place(refusal.get("field", ""))
        if place is None:  # not about a column, but about the model
            return str(error)
        index, name = place
        message = refusal.get("message", "")
        where = f"{table.path}: line {table.lines[index]}, column {name!r}: {message}"
        found.setdefault((name, message), f"{where}{_remedy(table, name, message)}")
    return "; ".join(found.values()) or str(error)


def _place(field: str) -> tuple[int, str] | None:
    """Return index and column of a field such as `rows.3.age`; None for another field."""
    parts = field.split(".", 2)
    return (int(parts[1]), parts[2]) if len(parts) == 3 and parts[0] == "rows" and parts[1].isdigit() else None


def _remedy(table: CsvRows, name: str, message: str) -> str:
    """Return what helps if the column was sent as another type than the model takes."""
    sent, option = table.types.get(name), shlex.quote(name)
    if "is not a column" in message:
        return f". To leave it out: --ignore {option}"
    if sent not in (None, TEXT) and message.startswith(("must be a string", "must be a date")):
        return f". It was sent as {sent}; to send it as text: --text {option}"
    if sent == TEXT and message.endswith("not a string"):
        if name in table.text:
            return f". It was sent as text; leave out --text {option}"
        line, text = table.no_number(name)
        return f". It was sent as text, because line {line} has {text!r}; an empty cell is a missing value"
    return ""
