"""mlops drift."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from mlops_client.cli import drawing, drift_columns, output
from mlops_client.cli.drift_columns import BAR_WIDTH, VERDICT_STYLES, verdict
from mlops_client.cli.options import Json, new_client
from mlops_client.cli.tables import Column, Shown


def register(app: typer.Typer) -> None:
    app.command("drift")(drift)


def drift(
    model_name: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="Registered model. By default the platform's default model."),
    ] = None,
    baseline_hours: Annotated[
        int | None, typer.Option(help="Length of the baseline in hours. It ends where the current window begins. [168]")
    ] = None,
    current_hours: Annotated[int | None, typer.Option(help="Length of the current window in hours. [24]")] = None,
    history: Annotated[
        int | None, typer.Option(metavar="HOURS", help="Show the last HOURS hours, one row per window.")
    ] = None,
    step_hours: Annotated[int | None, typer.Option(help="Length of a window of the history in hours. [1]")] = None,
    columns: Annotated[
        bool, typer.Option("--columns", help="Show the columns of a table model; with histograms if they moved.")
    ] = False,
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Show one column, with the histograms of now and of training.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show whether a model's inputs and predictions have drifted."""
    if columns or column is not None:
        drift_columns.show(model_name, current_hours, column, as_json)
        return
    if history is not None:
        _show_history(model_name, history, step_hours, as_json)
        return
    status = new_client().drift(model_name, baseline_hours, current_hours)
    if as_json:
        output.print_json(status)
        return
    out = output.console()
    title = f"  {status.model_name} version {status.model_version}"
    out.print(Text.assemble(verdict(status.status), title), soft_wrap=True)
    out.print(status.message, soft_wrap=True)
    headings = [
        Column("signal", 9),
        Column("against", 6),
        Column("PSI", 8, right=True),
        Column("p", 3, right=True),
        Column("verdict", 7),
        Column("", 1),
    ]
    full = 2 * status.thresholds.alert or 1
    rows = [
        [
            signal.signal.replace("_", " "),
            comparison.against,
            output.decimals(signal.psi),
            output.number(signal.p_value, 2),
            verdict(signal.status),
            Text(drawing.bar(signal.psi / full, BAR_WIDTH, out), style=VERDICT_STYLES.get(signal.status, "")),
        ]
        for comparison in status.comparisons
        for signal in comparison.signals
    ]
    if rows:
        output.show(headings, rows)
    if status.columns is not None and status.columns.columns:
        drift_columns.show_table(status.columns.columns, status.thresholds)
    for comparison in status.comparisons:
        if comparison.note and comparison.note not in status.message:
            out.print(f"{comparison.against}: {comparison.note}", style="dim", soft_wrap=True)
    thresholds = status.thresholds
    output.note(
        f"{status.current.samples} predictions in {status.current.hours} h, {status.baseline.samples} in the baseline; "
        f"warning from PSI {thresholds.warning:g}, alert from {thresholds.alert:g}"
    )


def _show_history(model_name: str | None, hours: int, step_hours: int | None, as_json: bool) -> None:
    history = new_client().drift_history(model_name, hours, step_hours)
    if as_json:
        output.print_json(history)
        return
    out = output.console()
    full = 2 * history.thresholds.alert or 1
    columns = [
        Column("from (UTC)", 9),
        Column("predictions", 6, right=True),
        Column("verdict", 7),
        Column("PSI", 8, right=True),
        Column("signal or column", 4),
        Column("", 1),
    ]
    rows = [
        [
            Shown(point.start[:16].replace("T", " "), point.start),
            point.samples,
            verdict(point.status),
            output.decimals(point.psi),
            point.column or (point.signal or "").replace("_", " "),
            Text(drawing.bar((point.psi or 0) / full, BAR_WIDTH, out), style=VERDICT_STYLES.get(point.status, "")),
        ]
        for point in history.points
    ]
    output.show(columns, rows)
    output.note(
        f"{history.model_name} version {history.model_version}, {history.step_hours} h per row, compared with the "
        f"{history.against_samples} predictions of the {history.against}; a verdict needs "
        f"{history.thresholds.minimum_samples} predictions"
    )
