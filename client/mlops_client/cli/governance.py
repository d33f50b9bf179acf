"""mlops settings, approve, reject, verify, export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Comment, Json, Reason, new_client
from mlops_client.cli.results import REFUSED, show_comparison, show_transition
from mlops_client.cli.tables import Column
from mlops_client.defaults import DEFAULT_MODEL
from mlops_client.errors import BadInput, TransitionRefused

if TYPE_CHECKING:
    from mlops_client.models import SettingsState, Transition

Model = Annotated[str, typer.Argument(metavar="MODEL", help="Name of the registered model.")]
TransitionId = Annotated[str, typer.Argument(metavar="TRANSITION", help="ID of the transition, such as tr_0199….")]


def register(app: typer.Typer) -> None:
    app.command("settings")(settings)
    app.command("approve")(approve)
    app.command("reject")(reject)
    app.command("verify")(verify)
    app.command("export")(export)


def settings(
    model_name: Model = DEFAULT_MODEL,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change one of the settings, such as approvals.Production=1 or gate.metric_margin=0.02. The value is "
            "JSON or text; null goes back to what the stack says. Can be repeated. Needs --reason.",
        ),
    ] = None,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Show the settings of a model, or change some of them."""
    client = new_client()
    state = client.settings(model_name)
    if changes:
        if not reason:
            raise BadInput("a change of settings needs --reason, which the history keeps")
        document = _given(state)
        for change in changes:
            _apply(document, change)
        state = client.change_settings(document, reason, model_name, expected_version=state.version)
    if as_json:
        output.print_json(state)
    else:
        _show(state)


def approve(transition: TransitionId, comment: Comment = None, as_json: Json = False) -> None:
    """Approve a transition that waits. Who has asked for it cannot approve it. Shows what changes."""
    client = new_client()
    if not as_json:
        show_comparison(client.transition(transition))
    try:
        outcome = client.approve(transition, comment)
    except TransitionRefused as refused:
        outcome = refused.transition
    _end(outcome, as_json)


def reject(transition: TransitionId, comment: Comment = None, as_json: Json = False) -> None:
    """Reject a transition that waits. Who has asked for it cannot reject it."""
    outcome = new_client().reject(transition, comment)
    if as_json:
        output.print_json(outcome)
    else:
        output.print_line(f"{outcome.model_name} version {outcome.version}: {outcome.error or outcome.status}")


def verify(model_name: Model = DEFAULT_MODEL, as_json: Json = False) -> None:
    """Check that the history of a model is as it was written."""
    verification = new_client().verify_history(model_name)
    if as_json:
        output.print_json(verification)
    elif verification.valid:
        output.print_line(f"the history of {model_name} is as it was written: {verification.entries} entries")
        if verification.sha256:
            output.note(f"compare the hash of the last one with one that you have kept: {verification.sha256}")
    else:
        output.complain(f"the history of {model_name} was changed: {verification.problem}")
    if not verification.valid:
        raise typer.Exit(1)


def export(
    transition: TransitionId,
    file: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
) -> None:
    """Print one document about a transition: data, code, parameters, gate, decisions, and its place in the history."""
    document = json.dumps(new_client().export_transition(transition), indent=2, sort_keys=True)
    if file is None:
        print(document)
    else:
        file.write_text(document + "\n")
        output.print_line(f"wrote {file}")


def _given(state: SettingsState) -> dict[str, Any]:
    """Return what is set, without what is left to the stack."""
    from dataclasses import asdict

    return {
        name: {key: value for key, value in part.items() if value is not None} if isinstance(part, dict) else part
        for name, part in asdict(state.settings).items()
        if part is not None
    }


def _apply(document: dict[str, Any], change: str) -> None:
    """Carry out NAME=VALUE. Raises BadInput: it is not of this form."""
    name, equals, text = change.partition("=")
    if not equals or not name:
        raise BadInput(f"{change!r} is not NAME=VALUE, such as approvals.Production=1")
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    part, _, key = name.partition(".")
    if not key and value is None:
        document.pop(part, None)
    elif not key:
        document[part] = value
    elif isinstance(place := document.setdefault(part, {}), dict):
        place[key] = value
        if value is None:
            del place[key]
    else:
        raise BadInput(f"{part} has no {key}; set it as a whole: {part}=[…]")


def _show(state: SettingsState) -> None:
    from dataclasses import asdict

    own, effective = asdict(state.settings), asdict(state.effective)
    rows = []
    for part, values in effective.items():
        entries = values.items() if isinstance(values, dict) else [("", values)]
        for key, value in entries:
            given = own[part].get(key) if isinstance(own[part], dict) else own[part]
            shown = value if isinstance(value, int | float | str) else json.dumps(value)
            rows.append([f"{part}.{key}" if key else part, str(shown), "stack" if given in (None, [], "") else "model"])
    columns = [Column("setting", 9), Column("value", 8), Column("from", 5, style="dim")]
    output.show(columns, rows, "no settings")
    if state.version:
        output.note(f"version {state.version}, changed by {state.changed_by}: {state.reason}")


def _end(transition: Transition, as_json: bool) -> None:
    if as_json:
        output.print_json(transition)
    else:
        show_transition(transition)
    if transition.status in REFUSED:
        raise typer.Exit(1)
