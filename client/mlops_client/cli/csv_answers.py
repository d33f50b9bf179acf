"""mlops predict --csv: ask for the rows of a file, and show or write the answers beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.text import Text

from mlops_client.cli import output
from mlops_client.cli.options import new_client
from mlops_client.cli.tables import Column
from mlops_client.csv_answers import CONFIDENCE, PREDICTION, answer_columns
from mlops_client.csv_rows import CsvRows, read_csv
from mlops_client.models import BatchPrediction


def predict_csv(
    path: Path, out: Path | None, ignored: list[str], model_name: str, as_json: bool, explain: bool | str = False
) -> None:
    """Predict the rows of a CSV file.

    Args:
        path: The file.
        out: The file to write; without it the rows are shown.
        ignored: Columns that are not sent.
        model_name: The registered model.
        as_json: Whether to print JSON.
        explain: Whether the answers are explained, or the class that is.

    Raises:
        BadInput: The file cannot be used, or the model does not take a value. Names line, column and remedy.
    """
    answer = new_client().predict_csv(path, model_name=model_name, ignore=ignored, out=out, explain=explain)
    if as_json:
        output.print_json(answer)
    elif not out:
        _show(read_csv(path, ignored), answer)
    for warning in answer.warnings or ():
        output.note(warning)
    written = f"; written to {out}" if out else ""
    output.note(f"{answer.batch_size} predictions by {answer.model_name} version {answer.model_version}{written}")


def _show(table: CsvRows, answer: BatchPrediction) -> None:
    added = answer_columns(answer)
    columns = [*(Column(name, 3) for name in table.header), Column(PREDICTION, 9)]
    if CONFIDENCE in added:
        columns.append(Column(CONFIDENCE, 7, right=True))
    rows: list[list[Any]] = []
    for cells, prediction, *confidence in zip(table.cells, *added.values(), strict=True):
        shares = [f"{share:.1%}" for share in confidence]
        rows.append([*map(Text, cells), Text(str(prediction), style="bold"), *shares])
    output.show(columns, rows, "no predictions")
