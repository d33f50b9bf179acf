"""mlops experiments, runs, compare, drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from mlops_client.cli import drawing, output
from mlops_client.cli.options import Json, Limit, client
from mlops_client.cli.output import Column, ago, percent
from mlops_client.errors import BadInput

if TYPE_CHECKING:
    from mlops_client.client import Client
    from mlops_client.models import Comparison

SHOWN = ("learning_rate", "hidden_size", "dropout", "batch_size", "epochs", "model_type", "dataset")
COMPARED = frozenset(
    {"accuracy", "loss", "macro_f1", "macro_precision", "macro_recall", "calibration_error", "model_size_bytes"}
    | {"prediction_latency_ms"}
)

VERDICTS = {"stable": "green", "warning": "yellow", "alert": "bold red", "insufficient_data": "dim"}


def register(app: typer.Typer) -> None:
    app.command("experiments")(experiments)
    app.command("runs")(runs)
    app.command("compare")(compare)
    app.command("drift")(drift)


def experiments(limit: Limit = 50, as_json: Json = False) -> None:
    """List experiments, each with its best run."""
    found = client().experiments(limit)
    if as_json:
        output.print_json(found)
        return
    columns = [
        Column("experiment", 9),
        Column("runs", 6, right=True),
        Column("best accuracy", 8, right=True),
        Column("best run", 4),
        Column("run id", 2, style="dim"),
    ]
    rows = []
    for each in found:
        best = each.best_run
        score = percent(best.metrics.get("accuracy")) if best else ""
        rows.append([each.name, each.total_runs, score, best and best.run_name, best and best.run_id[:8]])
    output.show(columns, rows, "no experiments yet; start a run: mlops train --watch")


def runs(
    experiment: Annotated[str | None, typer.Argument(metavar="EXPERIMENT", help="Name or id; else the newest.")] = None,
    order_by: Annotated[
        str, typer.Option("--order-by", "-o", help="metrics.<name>, params.<name>, started_at …, and asc or desc.")
    ] = "metrics.accuracy desc",
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List the runs of an experiment, the best first."""
    here = client()
    found = here.runs(experiment or _newest(here), order_by, limit)
    if as_json:
        output.print_json(found)
        return
    names = [name for name in SHOWN if len({run.params.get(name) for run in found}) > 1]
    columns = [
        Column("#", 8, right=True),
        Column("run", 9),
        Column("accuracy", 8, right=True),
        Column("loss", 6, right=True),
        *(Column(name.replace("_", " "), 5 - place, right=True) for place, name in enumerate(names)),
        Column("status", 4),
        Column("started", 0, right=True, style="dim"),
        Column("run id", 7, style="dim"),
    ]
    rows = [
        [
            place,
            run.run_name,
            percent(run.metrics.get("accuracy")),
            _number(run.metrics.get("loss")),
            *(_number(run.params.get(name)) for name in names),
            run.status,
            ago(run.started_at),
            run.run_id[:8],
        ]
        for place, run in enumerate(found, start=1)
    ]
    output.show(columns, rows, "no runs yet; start one: mlops train --watch")
    if found.total_count > len(found):
        output.note(f"{len(found)} of {found.total_count}; more: --limit")


def compare(
    identifiers: Annotated[
        list[str], typer.Argument(metavar="RUN", help="Run ids (their first letters do), run names or job ids.")
    ],
    experiment: Annotated[str | None, typer.Option("--experiment", "-e", help="Name or id; else found.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="What is alike, too.")] = False,
    as_json: Json = False,
) -> None:
    """Put runs side by side: what differs, and which is best."""
    here = client()
    found = _compared(here, identifiers, experiment)
    if as_json:
        output.print_json(found)
        return
    columns = [Column("", 9), *(Column(run.run_name or run.run_id[:8], 9, right=True) for run in found.runs)]
    ids = [run.run_id for run in found.runs]
    rows: list[list[object]] = [
        [param.name, *(_number(param.values.get(run_id)) for run_id in ids)]
        for param in found.params
        if param.differs or everything
    ]
    # Only what every run measured once for all; per-class figures would be a wall of numbers.
    for metric in found.metrics:
        if not (metric.differs or everything) or (not everything and metric.name not in COMPARED):
            continue
        best = [
            Text(_number(metric.values.get(each)), style="bold green" if each == metric.best else "") for each in ids
        ]
        rows.append([metric.name, *best])
    output.show(columns, rows, "these runs do not differ")


def _compared(here: Client, identifiers: list[str], experiment: str | None) -> Comparison:
    """Raises BadInput: a run is not found, or they are of several experiments."""
    if len(identifiers) < 2:
        raise BadInput("compare takes two runs or more")
    jobs = {each: here.job(each) for each in identifiers if each.startswith("job_")}
    experiments = [experiment] if experiment else list(dict.fromkeys(job.experiment_name for job in jobs.values()))
    if not experiments:
        experiments = [each.name for each in here.experiments(limit=200) if each.total_runs]
    wanted = [job.run_id if (job := jobs.get(each)) and job.run_id else each for each in identifiers]
    missing = wanted
    for name in experiments:
        runs = here.runs(name, limit=1000)
        matches = [
            next((run.run_id for run in runs if each == run.run_name or run.run_id.startswith(each)), None)
            for each in wanted
        ]
        if all(matches):
            return here.compare(name, [each for each in matches if each])
        left = [each for each, match in zip(identifiers, matches, strict=True) if match is None]
        missing = left if len(left) < len(missing) else missing
    raise BadInput(
        f"{', '.join(missing)}: not found in one experiment with the others; `mlops runs EXPERIMENT` lists them"
    )


def _newest(here: Client) -> str:
    found = [each.name for each in here.experiments(limit=20) if each.total_runs]
    if not found:
        raise BadInput("there are no runs yet; start one: mlops train --watch")
    return found[0]


def _number(value: object) -> str:
    try:
        return f"{float(value):.4g}"  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "" if value is None else str(value)


def drift(
    model_name: Annotated[str | None, typer.Argument(metavar="MODEL", help="Without it, the default model.")] = None,
    baseline_hours: Annotated[
        int | None, typer.Option(help="How long before the current window to look back. [168]")
    ] = None,
    current_hours: Annotated[int | None, typer.Option(help="Hours of the current window. [24]")] = None,
    history: Annotated[int | None, typer.Option(metavar="HOURS", help="Over time: the last HOURS, row by row.")] = None,
    step_hours: Annotated[int | None, typer.Option(help="Hours of a row of the history. [1]")] = None,
    as_json: Json = False,
) -> None:
    """Tell whether what the model sees and says has drifted."""
    if history is not None:
        drift_history(model_name, history, step_hours, as_json)
        return
    found = client().drift(model_name, baseline_hours, current_hours)
    if as_json:
        output.print_json(found)
        return
    out = output.console()
    head = Text.assemble((found.status.replace("_", " "), VERDICTS.get(found.status, "")))
    head.append(f"  {found.model_name} version {found.model_version}")
    out.print(head, soft_wrap=True)
    out.print(found.message, soft_wrap=True)
    columns = [
        Column("signal", 9),
        Column("against", 6),
        Column("PSI", 8, right=True),
        Column("p", 3, right=True),
        Column("verdict", 7),
        Column("", 1),
    ]
    top = 2 * found.thresholds.alert or 1
    rows = [
        [
            each.signal.replace("_", " "),
            comparison.against,
            f"{each.psi:.4f}",
            f"{each.p_value:.2g}",
            Text(each.status.replace("_", " "), style=VERDICTS.get(each.status, "")),
            Text(drawing.bar(each.psi / top, 20, out), style=VERDICTS.get(each.status, "")),
        ]
        for comparison in found.comparisons
        for each in comparison.signals
    ]
    if rows:
        out.print(output.table(columns, rows, out.width))
    for comparison in found.comparisons:
        if comparison.note and comparison.note not in found.message:
            out.print(f"{comparison.against}: {comparison.note}", style="dim", soft_wrap=True)
    marks = found.thresholds
    output.note(
        f"{found.current.samples} predictions in {found.current.hours} h, {found.baseline.samples} in the baseline; "
        f"warning from PSI {marks.warning:g}, alert from {marks.alert:g}"
    )


def drift_history(model_name: str | None, hours: int, step_hours: int | None, as_json: bool) -> None:
    found = client().drift_history(model_name, hours, step_hours)
    if as_json:
        output.print_json(found)
        return
    out = output.console()
    top = 2 * found.thresholds.alert or 1
    columns = [
        Column("from (UTC)", 9),
        Column("predictions", 6, right=True),
        Column("verdict", 7),
        Column("PSI", 8, right=True),
        Column("signal", 4),
        Column("", 1),
    ]
    rows = [
        [
            each.start[:16].replace("T", " "),
            each.samples,
            Text(each.status.replace("_", " "), style=VERDICTS.get(each.status, "")),
            "" if each.psi is None else f"{each.psi:.4f}",
            (each.signal or "").replace("_", " "),
            Text(drawing.bar((each.psi or 0) / top, 20, out), style=VERDICTS.get(each.status, "")),
        ]
        for each in found.points
    ]
    out.print(output.table(columns, rows, out.width))
    output.note(
        f"{found.model_name} version {found.model_version}, {found.step_hours} h a row, compared with the "
        f"{found.against_samples} of the {found.against}; a verdict takes {found.thresholds.minimum_samples} of them"
    )
