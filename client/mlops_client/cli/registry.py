"""mlops models, promote, rollback, history."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from mlops_client.cli import output
from mlops_client.cli.options import DEFAULT_MODEL, Json, Limit, ModelName, Reason, client
from mlops_client.cli.output import Column, ago, percent
from mlops_client.errors import NotFound, TransitionRefused
from mlops_client.models import Transition


def register(app: typer.Typer) -> None:
    app.command("models")(models)
    app.command("promote")(promote)
    app.command("rollback")(rollback)
    app.command("history")(history)


Wait = Annotated[float, typer.Option(min=0, help="Wait up to so many seconds for the outcome; 0 does not wait.")]


def models(
    name: Annotated[str | None, typer.Argument(metavar="MODEL", help="Show this model's versions.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List registered models, or the versions of one."""
    here = client()
    if name is None:
        found = here.models(limit)
        if as_json:
            output.print_json(found)
            return
        columns = [
            Column("model", 9),
            Column("in Production", 8, right=True),
            Column("latest", 5, right=True),
            Column("stage", 4),
            Column("versions", 3, right=True),
        ]
        rows = [
            [each.name, each.production_version or "none", each.latest_version, each.latest_stage, each.versions]
            for each in found
        ]
        output.show(columns, rows, "no models; train one: mlops train --watch")
        return
    model = here.model(name)
    if as_json:
        output.print_json(model)
        return
    columns = [
        Column("version", 9, right=True),
        Column("stage", 8),
        Column("accuracy", 7, right=True),
        Column("run", 2),
        Column("created", 4, right=True, style="dim"),
        Column("sha256", 1, style="dim"),
    ]
    rows = [
        [
            each.version,
            each.stage,
            percent(each.metrics.get("accuracy")),
            (each.run_id or "")[:8],
            ago(each.created_at),
            (each.sha256 or "")[:12],
        ]
        for each in model.versions[:limit]
    ]
    output.show(columns, rows, f"{name} has no versions yet")


def promote(
    version: Annotated[int, typer.Argument(help="The model version to move.")],
    model_name: ModelName = DEFAULT_MODEL,
    stage: Annotated[str, typer.Option("--stage", "-s", help="Staging, Production or Archived.")] = "Production",
    reason: Reason = None,
    force: Annotated[
        bool, typer.Option("--force", help="Go past the metric gate, with a reason; never past integrity.")
    ] = False,
    wait: Wait = 120,
    as_json: Json = False,
) -> None:
    """Move a model version to a stage, through the gates, and say what they found."""
    known = {each.lower(): each for each in ("Staging", "Production", "Archived")}
    here = client()
    try:
        _moved(
            lambda: here.promote(
                version, model_name, known.get(stage.lower(), stage), reason=reason, force=force, wait=wait
            ),
            as_json,
        )
    except NotFound:
        output.note(f"there is no {model_name} version {version}; those there are: mlops models {model_name}")
        raise


def rollback(
    model_name: ModelName = DEFAULT_MODEL, reason: Reason = None, wait: Wait = 120, as_json: Json = False
) -> None:
    """Move the version back to Production that was there before."""
    here = client()
    _moved(lambda: here.rollback(model_name, reason=reason, wait=wait), as_json)


def history(
    model_name: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the registered model.")] = DEFAULT_MODEL,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Show who moved which version where, when and why."""
    found = client().history(model_name, limit)
    if as_json:
        output.print_json(found)
        return
    columns = [
        Column("when", 7, style="dim"),
        Column("version", 9, right=True),
        Column("from", 4),
        Column("to", 8),
        Column("outcome", 8),
        Column("by", 3),
        Column("why", 2),
    ]
    rows = [
        [
            ago(each.created_at),
            each.version,
            each.from_stage,
            each.stage,
            each.status,
            each.actor,
            _shortened(each.reason or each.error or "", 60),
        ]
        for each in found
    ]
    output.show(columns, rows, f"no version of {model_name} was moved yet")


def show_transition(moved: Transition) -> None:
    """The gate's results and the outcome."""
    out = output.console()
    for gate in moved.gates:
        mark = ("ok  ", "green") if gate.passed else ("fail", "red")
        out.print(Text.assemble(mark, f"  {gate.check:<10} ", (gate.detail, "dim")), soft_wrap=True)
    if moved.status == "succeeded":
        replaced = f"; version {moved.replaced_version} made room" if moved.replaced_version else ""
        out.print(
            f"{moved.model_name} version {moved.version} is in {moved.stage}{replaced}", style="green", soft_wrap=True
        )
    elif moved.status == "queued":
        out.print(f"{moved.transition_id} is queued; see: mlops history {moved.model_name}", soft_wrap=True)
    else:
        output.complain(str(TransitionRefused(moved)))


def _moved(move: Any, as_json: bool) -> None:
    try:
        moved = move()
    except TransitionRefused as refused:
        moved = refused.transition
    if as_json:
        output.print_json(moved)
    else:
        show_transition(moved)
    if moved.status in ("rejected", "failed"):
        raise typer.Exit(1)


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
