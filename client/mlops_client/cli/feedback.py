"""mlops feedback and mlops performance."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from mlops_client.cli import output
from mlops_client.cli.options import Json, ModelName, new_client
from mlops_client.cli.tables import Column, Shown
from mlops_client.defaults import DEFAULT_MODEL
from mlops_client.errors import BadInput

if TYPE_CHECKING:
    from mlops_client.models import Figure, VersionPerformance

VERDICT_STYLES = {"ok": "green", "degraded": "bold red", "insufficient_data": "dim"}
FIELDS = frozenset({"prediction_id", "id", "row", "label", "observed_at"})
MOST_REFUSED = 10
"""Refused labels that are shown."""


def register(app: typer.Typer) -> None:
    app.command("feedback")(feedback)
    app.command("performance")(performance)


def feedback(
    prediction: Annotated[
        str | None, typer.Argument(metavar="ID", help="The prediction_id of an answer, or with --own your own id.")
    ] = None,
    label: Annotated[str | None, typer.Argument(metavar="LABEL", help="The true label, or the true quantity.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="A CSV file with the columns prediction_id or id, and label; if you like also row and observed_at."
        ),
    ] = None,
    own: Annotated[bool, typer.Option("--own", help="ID is the id that you sent with the row.")] = False,
    row: Annotated[int | None, typer.Option(min=0, help="Number of the row in the request, from 0.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace another label of the same prediction.")] = False,
    model_name: ModelName = DEFAULT_MODEL,
    as_json: Json = False,
) -> None:
    """Tell what became known of a prediction, or of those in a file."""
    if file is not None:
        if prediction is not None:
            raise BadInput("send an ID with a LABEL, or --file, not both")
        _send_file(file, replace, model_name, as_json)
        return
    if prediction is None or label is None:
        raise BadInput("feedback needs an ID and a LABEL, or --file")
    which: dict[str, Any] = {"id": prediction} if own else {"prediction_id": prediction}
    answer = new_client().feedback(label, **which, row=row, replace=replace, model_name=model_name)
    if as_json:
        output.print_json(answer)
    else:
        output.print_line(answer.status.replace("_", " "))


def _send_file(file: Path, replace: bool, model_name: str, as_json: bool) -> None:
    lines, labels = _labels(file, replace)
    answer = new_client().feedback_batch(labels, model_name)
    if as_json:
        output.print_json(answer)
    else:
        text = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in sorted(answer.counts.items()))
        output.print_line(text)
        refused = [(line, each) for line, each in zip(lines, answer.results, strict=True) if each.status == "refused"]
        for line, each in refused[:MOST_REFUSED]:
            output.note(f"line {line}: {each.detail}")
        if len(refused) > MOST_REFUSED:
            output.note(f"… and {len(refused) - MOST_REFUSED:,} more")
    if answer.counts.get("refused"):
        raise typer.Exit(1)


def _labels(file: Path, replace: bool) -> tuple[list[int], list[dict[str, Any]]]:
    """Return the line of each label, and the labels as the API takes them. Raises BadInput: they cannot be read."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            names = set(reader.fieldnames or ())
            if "label" not in names or len(names & {"prediction_id", "id"}) != 1 or not names <= FIELDS:
                raise BadInput(
                    f"{file}: the header must have label, and prediction_id or id; row and observed_at may follow"
                )
            lines, labels = [], []
            for record in reader:
                if None in record or None in record.values():
                    raise BadInput(f"{file}: line {reader.line_num} has more or fewer cells than the header")
                sent: dict[str, Any] = {name: text for name, text in record.items() if text}
                if "row" in sent:
                    if not sent["row"].isdecimal():
                        raise BadInput(f"{file}: line {reader.line_num}: row must be a whole number")
                    sent["row"] = int(sent["row"])
                labels.append({**sent, "label": record["label"], "replace": replace})
                lines.append(reader.line_num)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{file}: cannot be read: {error}") from None
    if not labels:
        raise BadInput(f"{file}: has no labels")
    return lines, labels


def performance(
    model_name: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="Registered model. By default the platform's default model."),
    ] = None,
    hours: Annotated[int | None, typer.Option(help="How many hours of predictions to look back. [720]")] = None,
    delay_hours: Annotated[
        int | None, typer.Option(help="Verdicts are about predictions that are older than this.")
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="Show the version in Production over time.")] = False,
    step_hours: Annotated[int | None, typer.Option(help="Hours per row of the history. [24]")] = None,
    as_json: Json = False,
) -> None:
    """Show how well a model predicts, by the labels that came back."""
    if history:
        _show_history(model_name, hours, step_hours, as_json)
        return
    status = new_client().performance(model_name, hours, delay_hours)
    if as_json:
        output.print_json(status)
        return
    columns = [
        Column("version", 9, right=True),
        Column("stage", 6),
        Column("labels", 8, right=True),
        Column("coverage", 7, right=True),
        Column("figures, with 95 % intervals", 8, wrap=True),
        Column("verdict", 7),
    ]
    rows = [
        [
            version.model_version,
            version.stage or "",
            Shown(f"{version.labels:,}", version.labels),
            "" if version.coverage is None else Shown(f"{version.coverage:.0%}", version.coverage),
            _figures(version),
            Text(version.verdict.status.replace("_", " "), style=VERDICT_STYLES.get(version.verdict.status, "")),
        ]
        for version in status.versions
    ]
    output.show(columns, rows)
    for version in status.versions:
        output.note(f"Version {version.model_version}: {version.verdict.message}.")
    output.note(
        f"{status.waiting:,} labels wait for their predictions, {status.unmatched:,} found none; "
        f"verdicts are about predictions that are older than {status.delay_hours} h"
    )


def _figures(version: VersionPerformance) -> str:
    classes, quantities = version.classification, version.regression
    parts: list[str] = []
    if classes is not None:
        parts = [
            f"accuracy {_figure(classes.accuracy)}",
            f"macro F1 {_figure(classes.macro_f1)}",
            *([f"log loss {_figure(classes.log_loss)}"] if classes.log_loss is not None else []),
            *([f"AUC {_figure(classes.auc)}"] if classes.auc is not None else []),
        ]
    elif quantities is not None:
        parts = [
            f"MAE {_figure(quantities.mae)}",
            f"RMSE {_figure(quantities.rmse)}",
            f"bias {_figure(quantities.bias)}",
            *([f"R² {_figure(quantities.r2)}"] if quantities.r2 is not None else []),
        ]
    if version.estimated is not None:
        parts.append(f"accuracy estimated without labels {version.estimated.accuracy:.4g}")
    return "; ".join(parts)


def _figure(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4g}"
    return f"{figure.value:.4g} ({figure.low:.4g} to {figure.high:.4g})"


def _show_history(model_name: str | None, hours: int | None, step_hours: int | None, as_json: bool) -> None:
    history = new_client().performance_history(model_name, None, hours, step_hours)
    if as_json:
        output.print_json(history)
        return
    columns = [
        Column("from (UTC)", 9),
        Column("predictions", 6, right=True),
        Column("labels", 7, right=True),
        Column("accuracy", 8),
        Column("MAE", 8, right=True),
        Column("bias", 5, right=True),
    ]
    rows = [
        [
            Shown(point.start[:16].replace("T", " "), point.start),
            Shown(f"{point.predictions:,}", point.predictions),
            Shown(f"{point.labels:,}", point.labels),
            "" if point.accuracy is None else _figure(point.accuracy),
            output.number(point.mae),
            output.number(point.bias),
        ]
        for point in history.points
    ]
    output.show(columns, rows)
    output.note(f"{history.model_name} version {history.model_version}, {history.step_hours} h of predictions per row")
