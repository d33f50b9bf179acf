"""mlops rollout: start, list, show, approve, reject, pause, resume, abort, complete."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Comment, Json, Limit, ModelName, Reason, new_client
from mlops_client.cli.output import ago
from mlops_client.cli.results import show_comparison, show_gates
from mlops_client.cli.tables import Column
from mlops_client.defaults import DEFAULT_MODEL
from mlops_client.errors import BadInput

if TYPE_CHECKING:
    from mlops_client.models import Rollout

USUAL_STEPS = ("5:30", "25:60")

rollout_app = typer.Typer(
    help="Roll a version out step by step; it goes back by itself if it breaks a guardrail.", no_args_is_help=True
)
RolloutId = Annotated[str, typer.Argument(metavar="ROLLOUT", help="Id of the rollout.")]


def register(app: typer.Typer) -> None:
    rollout_app.command("start")(start)
    rollout_app.command("list")(list_rollouts)
    rollout_app.command("show")(show)
    rollout_app.command("approve")(approve)
    rollout_app.command("reject")(reject)
    rollout_app.command("pause")(pause)
    rollout_app.command("resume")(resume)
    rollout_app.command("abort")(abort)
    rollout_app.command("complete")(complete)
    app.add_typer(rollout_app, name="rollout")


def start(
    version: Annotated[int, typer.Argument(help="Number of the version. It must be in Staging.")],
    model_name: ModelName = DEFAULT_MODEL,
    step: Annotated[
        list[str] | None,
        typer.Option(help="WEIGHT:MINUTES, such as 5:30 for 5 percent of the callers and 30 minutes; repeat it."),
    ] = None,
    shadow_minutes: Annotated[
        int | None, typer.Option(min=0, help="For so long the version is only compared. By default 30.")
    ] = None,
    max_error_rate: Annotated[
        float | None, typer.Option(help="Largest share of requests that only Production can answer.")
    ] = None,
    max_latency_ratio: Annotated[
        float | None, typer.Option(help="Largest time of the version, in times of Production's.")
    ] = None,
    max_disagreement: Annotated[float | None, typer.Option(help="Largest share of rows with another answer.")] = None,
    max_confidence_drop: Annotated[
        float | None, typer.Option(help="How much less sure than Production it may be in half of the rows.")
    ] = None,
    max_prediction_shift: Annotated[
        float | None, typer.Option(help="How many rows more or fewer, as a share, it may answer with a label.")
    ] = None,
    min_accuracy_delta: Annotated[
        float | None, typer.Option(help="Smallest accuracy minus Production's on rows with labels, such as -0.01.")
    ] = None,
    min_labels: Annotated[
        int | None, typer.Option(min=1, help="Each step waits until so many compared rows have a label.")
    ] = None,
    bake_days: Annotated[
        int | None, typer.Option(min=1, help="For so long after it labels can bring the version before back.")
    ] = None,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Start a rollout.

    Without --step it has the steps of the model's settings; else 5 percent for 30 minutes, then 25 percent for 60.
    """
    limits = {
        "max_error_rate": max_error_rate,
        "max_latency_ratio": max_latency_ratio,
        "max_disagreement": max_disagreement,
        "max_confidence_drop": max_confidence_drop,
        "max_prediction_shift": max_prediction_shift,
        "min_accuracy_delta": min_accuracy_delta,
    }
    guardrails = {name: limit for name, limit in limits.items() if limit is not None}
    client = new_client()
    steps = [_step(text) for text in step or ()]
    if not steps and (usual := client.settings(model_name).settings.rollout) is not None:
        steps = [asdict(each) for each in usual.steps]
    steps = steps or [_step(text) for text in USUAL_STEPS]
    if min_labels is not None:
        steps = [{**each, "min_labels": min_labels} for each in steps]
    rollout = client.start_rollout(
        version,
        model_name,
        steps=steps,
        shadow_minutes=shadow_minutes,
        guardrails=guardrails or None,
        bake_days=bake_days,
        reason=reason,
    )
    _show(rollout, as_json)


def list_rollouts(model_name: ModelName = DEFAULT_MODEL, limit: Limit = 20, as_json: Json = False) -> None:
    """List the rollouts of a model, the newest first."""
    listing = new_client().rollouts(model_name, limit)
    if as_json:
        output.print_json(listing)
        return
    columns = [
        Column("rollout", 9, whole=True),
        Column("version", 8, right=True),
        Column("status", 8),
        Column("weight", 4, right=True),
        Column("began", 5, style="dim"),
        Column("by", 3),
        Column("note", 6, wrap=True),
    ]
    rows = [
        [
            rollout.rollout_id,
            rollout.version,
            rollout.status,
            f"{rollout.weight:g} %",
            ago(rollout.created_at),
            rollout.actor,
            rollout.note or "",
        ]
        for rollout in listing
    ]
    output.show(columns, rows, f"{model_name} has had no rollout; start one: mlops rollout start VERSION")
    output.show_limit(listing)


def show(rollout_id: RolloutId, model_name: ModelName = DEFAULT_MODEL, as_json: Json = False) -> None:
    """Show how far a rollout is, and what is known about its guardrails."""
    _show(new_client().rollout(rollout_id, model_name), as_json)


def approve(
    rollout_id: RolloutId, model_name: ModelName = DEFAULT_MODEL, comment: Comment = None, as_json: Json = False
) -> None:
    """Approve a rollout that waits. Who has asked for it cannot approve it. Shows what changes, and the plan."""
    client = new_client()
    if not as_json:
        _show_asked(client.rollout(rollout_id, model_name))
    _show(client.approve_rollout(rollout_id, model_name, comment=comment), as_json)


def reject(
    rollout_id: RolloutId, model_name: ModelName = DEFAULT_MODEL, comment: Comment = None, as_json: Json = False
) -> None:
    """Reject a rollout that waits. Who has asked for it cannot reject it."""
    _show(new_client().reject_rollout(rollout_id, model_name, comment=comment), as_json)


def pause(rollout_id: RolloutId, model_name: ModelName = DEFAULT_MODEL, as_json: Json = False) -> None:
    """Let a rollout keep its phase. Its guardrails still end it."""
    _show(new_client().pause_rollout(rollout_id, model_name), as_json)


def resume(rollout_id: RolloutId, model_name: ModelName = DEFAULT_MODEL, as_json: Json = False) -> None:
    """Let a paused rollout go on."""
    _show(new_client().resume_rollout(rollout_id, model_name), as_json)


def abort(
    rollout_id: RolloutId, model_name: ModelName = DEFAULT_MODEL, reason: Reason = None, as_json: Json = False
) -> None:
    """End a rollout: only the version in Production answers then."""
    _show(new_client().abort_rollout(rollout_id, model_name, reason=reason), as_json)


def complete(rollout_id: RolloutId, model_name: ModelName = DEFAULT_MODEL, as_json: Json = False) -> None:
    """Skip what is left of a rollout, and move its version to Production. The gates remain."""
    _show(new_client().complete_rollout(rollout_id, model_name), as_json)


def _step(text: str) -> dict[str, float | int]:
    weight, _, minutes = text.partition(":")
    try:
        return {"weight": float(weight), "minutes": int(minutes)}
    except ValueError as error:
        raise BadInput(f"--step {text}: write WEIGHT:MINUTES, such as 5:30") from error


def _show_asked(rollout: Rollout) -> None:
    """Print what an approver decides about: the gate's results, what changes, and the plan."""
    if rollout.approval is not None:
        show_gates(rollout.approval)
        show_comparison(rollout.approval)
    plan = rollout.plan
    steps = ", ".join(f"{step.weight:g} % for {step.minutes} minutes" for step in plan.steps)
    output.print_line(f"the plan: {plan.shadow_minutes} minutes in the shadow, then {steps}")


def _show(rollout: Rollout, as_json: bool) -> None:
    if as_json:
        output.print_json(rollout)
        return
    what = f"{rollout.model_name} version {rollout.version}, over version {rollout.champion}"
    output.print_line(f"{rollout.rollout_id}: {what}: {rollout.status}, {rollout.weight:g} % of the callers")
    if rollout.note:
        output.print_line(rollout.note)
    if rollout.status == "awaiting_approval":
        _show_asked(rollout)
        command = f"mlops rollout approve {rollout.rollout_id} --model {rollout.model_name}"
        output.note(f"somebody else can approve it: {command}")
        return
    columns = [
        Column("guardrail", 9),
        Column("limit", 5, right=True),
        Column("observed", 6, right=True),
        Column("requests", 4, right=True),
        Column("evidence against it", 3, right=True),
    ]
    rows = [
        [
            figure.guardrail,
            output.number(figure.limit),
            output.number(figure.observed),
            figure.observations,
            output.percent(figure.evidence),
        ]
        for figure in rollout.figures or ()
    ]
    output.show(columns, rows, "no request was looked at yet")
