"""mlops note."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Json, OfExperiment, RunName, new_client
from mlops_client.errors import BadInput
from mlops_client.finding import find_runs


def register(app: typer.Typer) -> None:
    app.command("note")(note)


def note(
    run: RunName,
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="The note, in Markdown, in place of the one before; empty to remove it."),
    ] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", "-t", metavar="NAME=VALUE", help="Set a tag; without a value, remove it. Repeatable."),
    ] = None,
    experiment: OfExperiment = None,
    as_json: Json = False,
) -> None:
    """Note something about a run, or tag it. MLflow and the console show both."""
    given = dict(_tag(each) for each in tags or ())
    if text is None and not given:
        raise BadInput("give a note, or --tag NAME=VALUE")
    client = new_client()
    name, (run_id,) = find_runs(client, [run], experiment)
    edited = client.edit_run(name, run_id, tags=given, note=text)
    if as_json:
        output.print_json(edited)
    else:
        output.print_line(f"run {run_id[:8]} of {name}: {', '.join(_changes(given, text))}")


def _tag(text: str) -> tuple[str, str | None]:
    name, mark, value = text.partition("=")
    if not name or not mark:
        raise BadInput(f"--tag {text}: write NAME=VALUE, or NAME= to remove the tag")
    return name, value or None


def _changes(tags: dict[str, str | None], text: str | None) -> list[str]:
    told = [f"{name} is {value}" if value else f"{name} is removed" for name, value in tags.items()]
    return told if text is None else [*told, "the note is written" if text else "the note is removed"]
