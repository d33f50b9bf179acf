"""mlops experiments, runs, compare."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_client.cli import output, scores
from mlops_client.cli.conditions import all_of
from mlops_client.cli.options import Json, Limit, new_client
from mlops_client.cli.output import ago, number
from mlops_client.cli.tables import Column, styled
from mlops_client.errors import BadInput
from mlops_client.finding import find_runs

if TYPE_CHECKING:
    from mlops_client.client import Client
    from mlops_client.models import RunRow

PARAMETERS = ("learning_rate", "hidden_size", "dropout", "batch_size", "epochs", "model_type", "dataset")
HEADLINES = ("accuracy", "loss", "rmse", "mae")
DEFAULT_HEADLINES = ("accuracy", "loss")
BY_OBJECTIVE = "objective"
# Metrics of these kinds are shown with --all only: with classes and epochs, they would not fit on a screen.
DETAIL_KINDS = ("check", "epoch", "class")
OWN_METRIC_COLUMNS = 4


def register(app: typer.Typer) -> None:
    app.command("experiments")(experiments)
    app.command("runs")(runs)
    app.command("compare")(compare)


def experiments(
    name: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help="Show only experiments with this in their name.")
    ] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List experiments, each with its best run."""
    listing = new_client().experiments(limit, name=name)
    if as_json:
        output.print_json(listing)
        return
    head = scores.heading(experiment.objective for experiment in listing)
    columns = [
        Column("experiment", 9),
        Column("runs", 6, right=True),
        Column(f"best {head}", 8, right=True),
        Column("best run", 4),
        Column("run id", 2, style="dim", whole=True),
    ]
    rows = []
    for experiment in listing:
        best = experiment.best_run
        score = scores.text(experiment.objective, best.metrics, head) if best else ""
        rows.append([experiment.name, experiment.total_runs, score, best and best.run_name, best and best.run_id[:8]])
    output.show(columns, rows, "no experiments yet; start a run: mlops train --watch")
    output.show_limit(listing)


def runs(
    experiment: Annotated[
        str | None,
        typer.Argument(metavar="EXPERIMENT", help="Name or ID. By default the newest experiment with runs."),
    ] = None,
    order_by: Annotated[
        str,
        typer.Option(
            "--order-by",
            "-o",
            help="objective, metrics.<name>, params.<name> or a field such as started_at, followed by asc or desc. "
            "With objective desc the best runs come first. Put a name with a space in backticks.",
        ),
    ] = "objective desc",
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            "-w",
            metavar="CONDITION",
            help="Show only runs with this metric or parameter, as in 'metrics.f1 > 0.9' or params.model_type=mlp. Can "
            "be repeated; all have to be true.",
        ),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(help="Show only runs that are running, scheduled, finished, failed or killed."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help="Show only runs with this in their name.")
    ] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List the runs of an experiment, the best first, with metrics that you have logged yourself too."""
    client = new_client()
    keep = all_of(where) if where else None
    listing = client.runs(
        experiment or _newest_experiment(client), order_by, limit, status=status, name=name, keep=keep
    )
    if as_json:
        output.print_json(listing)
        return
    parameters = [name for name in PARAMETERS if len({run.params.get(name) for run in listing}) > 1]
    metrics = metric_columns(listing, order_by)
    columns = [
        Column("#", 8, right=True),
        Column("run", 9),
        *(Column(name, 8 if name in HEADLINES else 7, right=True) for name in metrics),
        *(Column(name.replace("_", " "), 5 - place, right=True) for place, name in enumerate(parameters)),
        Column("status", 4),
        Column("started", 0, right=True, style="dim"),
        Column("run id", 7, style="dim", whole=True),
    ]
    rows = [
        [
            place,
            run.run_name,
            *(scores.metric(name, run.metrics.get(name)) for name in metrics),
            *(number(run.params.get(name)) for name in parameters),
            run.status,
            ago(run.started_at),
            run.run_id[:8],
        ]
        for place, run in enumerate(listing, start=1)
    ]
    output.show(columns, rows, "no runs yet; start one: mlops train --watch")
    output.show_limit(listing)
    if _field(order_by) == BY_OBJECTIVE:
        _note_unranked(listing)


def compare(
    identifiers: Annotated[
        list[str], typer.Argument(metavar="RUN", help="Run IDs or their first characters, run names, or job IDs.")
    ],
    experiment: Annotated[
        str | None,
        typer.Option("--experiment", "-e", help="Name or ID. By default the experiment that has all these runs."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also show equal values, and all metrics.")] = False,
    as_json: Json = False,
) -> None:
    """Compare runs side by side: what differs, and which is best."""
    if len(identifiers) < 2:
        raise BadInput("compare needs two or more runs")
    client = new_client()
    comparison = client.compare(*find_runs(client, identifiers, experiment))
    if as_json:
        output.print_json(comparison)
        return
    columns = [Column("name", 9), *(Column(run.run_name or run.run_id[:8], 9, right=True) for run in comparison.runs)]
    ids = [run.run_id for run in comparison.runs]
    rows: list[list[object]] = [
        [param.name, *(number(param.values.get(run_id)) for run_id in ids)]
        for param in comparison.params
        if param.differs or everything
    ]
    left_out = 0
    for metric in comparison.metrics:
        if everything or (metric.differs and metric.kind not in DETAIL_KINDS):
            cells = [
                styled(number(metric.values.get(run_id)), "bold green" if run_id == metric.best else "")
                for run_id in ids
            ]
            rows.append([metric.name, *cells])
        else:
            left_out += metric.differs
    output.show(columns, rows, "these runs do not differ")
    if left_out:
        output.note(f"{left_out} more metrics differ: checks, or figures per class or epoch; --all shows them")


def metric_columns(runs: Sequence[RunRow], order_by: str) -> list[str]:
    """Return the metrics to show: the one that orders the list, the main ones, and a few that the runs have logged
    themselves."""
    names = {name for run in runs for name in run.metrics}
    field = _field(order_by)
    headlines = [name for name in HEADLINES if name in names] or list(DEFAULT_HEADLINES)
    if field == BY_OBJECTIVE:
        first = _objective(runs)
    else:
        ordering = [name for name in names if field in (f"metrics.{name}", f"metrics.`{name}`", f'metrics."{name}"')]
        first = [name for name in ordering if name not in headlines]
    counts = Counter(name for run in runs for name in run.own_metrics)
    own = sorted(counts, key=lambda name: (-counts[name], name))[:OWN_METRIC_COLUMNS]
    return list(dict.fromkeys([*first, *headlines, *own]))


def _objective(runs: Sequence[RunRow]) -> list[str]:
    """Return the metric that ranks runs in the order of their objective: the best one comes first, and has it."""
    best = runs[0] if runs else None
    return [best.objective.name] if best and best.objective and best.objective.name in best.metrics else []


def _field(order_by: str) -> str:
    """Return the order without its direction."""
    return re.sub(r"\s+(asc|desc)$", "", order_by.strip(), flags=re.IGNORECASE)


def _note_unranked(runs: Sequence[RunRow]) -> None:
    for name in _objective(runs):
        if unranked := sum(name not in run.metrics for run in runs):
            output.note(f"{unranked} of these runs have no {name}, so they have no rank and come last")


def _newest_experiment(client: Client) -> str:
    for experiment in client.experiments(limit=20):
        if experiment.total_runs:
            return experiment.name
    raise BadInput("there are no runs yet; start one: mlops train --watch")
