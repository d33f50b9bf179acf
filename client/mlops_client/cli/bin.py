"""mlops delete, bin."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Json, Limit, Reason, new_client
from mlops_client.cli.output import ago
from mlops_client.cli.tables import Column
from mlops_client.errors import BadInput

if TYPE_CHECKING:
    from mlops_client.models import BinEntry

Target = Annotated[
    str | None, typer.Argument(metavar="MODEL[@VERSION]", help="A model, or a version of it, such as churn@3.")
]
Experiment = Annotated[
    str | None, typer.Option("--experiment", "-e", help="In place of a model: name or ID of an experiment.")
]
Run = Annotated[str | None, typer.Option("--run", help="With --experiment: ID of one of its runs.")]
bin_app = typer.Typer(help="What was deleted, and can be restored for 30 days.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command("delete")(delete)
    app.add_typer(bin_app, name="bin")


def delete(
    reason: Annotated[str, typer.Option("--reason", "-r", help="Reason, which the history keeps.")],
    target: Target = None,
    experiment: Experiment = None,
    run: Run = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also delete what a rollback can bring back, and runs that have not ended."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Put a version, a model, a run or an experiment into the bin, from which it can be restored for 30 days."""
    model_name, version = checked(target, experiment, run)
    client = new_client()
    if experiment is not None and run is not None:
        entry = client.delete_run(experiment, run, reason, force=force)
    elif experiment is not None:
        entry = client.delete_experiment(experiment, reason, force=force)
    elif version is not None:
        entry = client.delete_version(version, model_name, reason, force=force)
    else:
        entry = client.delete_model(model_name, reason, force=force)
    if as_json:
        output.print_json(entry)
    else:
        output.print_line(f"{named(entry)} is in the bin until {entry.until}")
        output.note(f"to restore it: mlops bin restore {address(entry)}")


@bin_app.command("restore")
def restore(
    target: Target = None, experiment: Experiment = None, run: Run = None, reason: Reason = None, as_json: Json = False
) -> None:
    """Take a version, a model, a run or an experiment out of the bin."""
    model_name, version = checked(target, experiment, run)
    client = new_client()
    if experiment is not None and run is not None:
        entry = client.restore_run(experiment, run, reason)
    elif experiment is not None:
        entry = client.restore_experiment(experiment, reason)
    elif version is not None:
        entry = client.restore_version(version, model_name, reason)
    else:
        entry = client.restore_model(model_name, reason)
    if as_json:
        output.print_json(entry)
    else:
        output.print_line(f"{named(entry)} is restored")


@bin_app.command("list")
def list_bin(limit: Limit = 50, as_json: Json = False) -> None:
    """List what is in the bin, the oldest first."""
    listing = new_client().bin(limit)
    if as_json:
        output.print_json(listing)
        return
    columns = [
        Column("what", 9),
        Column("deleted", 6, right=True, style="dim"),
        Column("until", 8),
        Column("by", 4),
        Column("why", 5, wrap=True),
    ]
    rows = [[named(entry), ago(entry.deleted_at), entry.until[:10], entry.actor, entry.reason] for entry in listing]
    output.show(columns, rows, "the bin is empty")
    output.show_limit(listing)


def checked(target: str | None, experiment: str | None, run: str | None) -> tuple[str, int | None]:
    """Return the model and the version of `MODEL@VERSION`; the version of a model, or an experiment, is None.

    Raises:
        BadInput: Not exactly one thing is named, or half a version.
    """
    if (target is None) == (experiment is None) or (run is not None and experiment is None):
        raise BadInput(
            "name a model, as in churn, a version, as in churn@3, or --experiment NAME, and with it --run ID"
        )
    model_name, at, version = (target or "").rpartition("@")
    if not at:
        return target or "", None
    if not model_name or not version.isdecimal():
        raise BadInput(f"{target!r}: expected MODEL or MODEL@VERSION, as in churn@3")
    return model_name, int(version)


def named(entry: BinEntry) -> str:
    """Return what an entry is, for people."""
    if entry.kind == "version":
        return f"{entry.name} version {entry.version}"
    return f"run {entry.run_id} of {entry.name}" if entry.kind == "run" else f"{entry.kind} {entry.name}"


def address(entry: BinEntry) -> str:
    """Return what names an entry in commands."""
    if entry.kind == "version":
        return f"{entry.name}@{entry.version}"
    if entry.kind == "model":
        return entry.name
    run = f" --run {entry.run_id}" if entry.kind == "run" else ""
    return f"--experiment {shlex.quote(entry.name)}{run}"
