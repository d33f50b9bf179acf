"""mlops models, promote, rollback, history."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_client.cli import output, scores
from mlops_client.cli.options import Json, Limit, ModelName, Reason, new_client
from mlops_client.cli.output import ago
from mlops_client.cli.results import REFUSED, show_transition
from mlops_client.cli.tables import Column
from mlops_client.defaults import DEFAULT_MODEL
from mlops_client.errors import NotFound, TransitionRefused
from mlops_client.listing import Listing

if TYPE_CHECKING:
    from mlops_client.models import Model, ModelDetail, Transition

STAGES = ("Staging", "Production", "Archived")
Wait = Annotated[float, typer.Option(min=0, help="Wait at most this many seconds for the outcome; 0 does not wait.")]


def register(app: typer.Typer) -> None:
    app.command("models")(models)
    app.command("promote")(promote)
    app.command("rollback")(rollback)
    app.command("history")(history)


def models(
    name: Annotated[str | None, typer.Argument(metavar="MODEL", help="Show the versions of this model.")] = None,
    part: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help="Show only models with this in their name.")
    ] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List registered models, or the versions of one."""
    client = new_client()
    if name is None:
        listing = client.models(limit, name=part)
        if as_json:
            output.print_json(listing)
        else:
            _list_models(listing)
        return
    model = client.model(name, limit)
    if as_json:
        output.print_json(model)
    else:
        _list_versions(model)


def promote(
    version: Annotated[int, typer.Argument(help="Number of the version to move.")],
    model_name: ModelName = DEFAULT_MODEL,
    stage: Annotated[str, typer.Option("--stage", "-s", help="Staging, Production or Archived.")] = "Production",
    reason: Reason = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Skip the metric gate; needs --reason. The integrity gates always apply."),
    ] = False,
    wait: Wait = 600,
    as_json: Json = False,
) -> None:
    """Move a version to a stage if it passes the gates, and show their results.

    A version that was logged with plain MLflow is converted to ONNX first.
    """
    target = _stage(stage)
    client = new_client()
    try:
        _move(
            lambda: client.promote(
                version, model_name, target, reason=reason, force=force, wait=wait, on_progress=_tell_conversion
            ),
            as_json,
        )
    except NotFound:
        output.note(f"there is no {model_name} version {version}; list the versions: mlops models {model_name}")
        raise


def rollback(
    model_name: ModelName = DEFAULT_MODEL, reason: Reason = None, wait: Wait = 120, as_json: Json = False
) -> None:
    """Move the version that was in Production before back to Production."""
    client = new_client()
    _move(lambda: client.rollback(model_name, reason=reason, wait=wait), as_json)


def history(
    model_name: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the registered model.")] = DEFAULT_MODEL,
    version: Annotated[int | None, typer.Option("--model-version", help="Show only moves of this version.")] = None,
    stage: Annotated[str | None, typer.Option("--stage", "-s", help="Show only moves to this stage.")] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Show who moved which version to which stage, when and why."""
    listing = new_client().history(model_name, limit, version=version, stage=stage and _stage(stage))
    if as_json:
        output.print_json(listing)
        return
    columns = [
        Column("when", 7, style="dim"),
        Column("version", 9, right=True),
        Column("from", 4),
        Column("to", 8),
        Column("outcome", 8),
        Column("by", 3),
        Column("why", 9, wrap=True),
    ]
    rows = [
        [
            ago(transition.created_at),
            transition.version,
            transition.from_stage,
            transition.stage,
            transition.status,
            transition.actor,
            transition.reason or transition.error,
        ]
        for transition in listing
    ]
    output.show(columns, rows, f"no version of {model_name} has been moved yet")
    output.show_limit(listing)


def _stage(given: str) -> str:
    """Return a stage as the API writes it, whatever the case of its letters."""
    return next((known for known in STAGES if known.lower() == given.lower()), given)


def _list_models(models: Listing[Model]) -> None:
    columns = [
        Column("model", 9),
        Column("in Production", 8, right=True),
        Column("latest", 5, right=True),
        Column("stage", 4),
        Column("versions", 3, right=True),
    ]
    rows = [
        [model.name, model.production_version or "none", model.latest_version, model.latest_stage, model.versions]
        for model in models
    ]
    output.show(columns, rows, "no models; train one: mlops train --watch")
    output.show_limit(models)
    for model in models:
        _note_unservable(model)


def _list_versions(model: ModelDetail) -> None:
    shown = Listing(model.versions, next_cursor=model.next_cursor)
    head = scores.heading(version.objective for version in shown)
    columns = [
        Column("version", 9, right=True),
        Column("stage", 8),
        Column(head, 7, right=True),
        Column("run", 2, whole=True),
        Column("created", 4, right=True, style="dim"),
        Column("sha256", 1, style="dim", whole=True),
    ]
    rows = [
        [
            version.version,
            version.stage,
            scores.text(version.objective, version.metrics, head),
            (version.run_id or "")[:8],
            ago(version.created_at),
            (version.sha256 or "")[:12],
        ]
        for version in shown
    ]
    output.show(columns, rows, f"{model.name} has no versions yet")
    output.show_limit(shown)
    _note_unservable(model)
    for stage, refusal in (("Production", model.production_refusal), ("Staging", model.staging_refusal)):
        if refusal is not None:
            output.note(f"the gate would no longer admit the version in {stage}: {refusal}")


def _note_unservable(model: Model | ModelDetail) -> None:
    if not model.servable:
        output.note(f"{model.name}: {model.reason}")


def _tell_conversion(transition: Transition) -> None:
    """Say why it takes longer than others."""
    if transition.status == "converting":
        output.note(
            f"{transition.model_name} version {transition.version} is not in ONNX format: a job converts it now"
        )


def _move(move: Callable[[], Transition], as_json: bool) -> None:
    try:
        transition = move()
    except TransitionRefused as refused:
        transition = refused.transition
    if as_json:
        output.print_json(transition)
    else:
        show_transition(transition)
    if transition.status in REFUSED:
        raise typer.Exit(1)
