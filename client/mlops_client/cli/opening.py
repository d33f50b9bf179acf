"""mlops open."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from mlops_client.cli import output
from mlops_client.cli.finding import find_runs
from mlops_client.cli.options import new_client
from mlops_client.errors import BadInput

if TYPE_CHECKING:
    from mlops_client.client import Client


class Page(StrEnum):
    """What the console shows."""

    console = "console"
    experiment = "experiment"
    run = "run"
    model = "model"
    job = "job"


def register(app: typer.Typer) -> None:
    app.command("open")(open_page)


def open_page(
    page: Annotated[Page, typer.Argument(metavar="PAGE", help="console, experiment, run, model or job.")],
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Name of the experiment, run or model; ID of the run or the job."),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, and do not open a browser.")
    ] = False,
) -> None:
    """Open the console in the browser, at an experiment, a run, a model or a job. It asks for your key there."""
    if (name is None) != (page is Page.console):
        raise BadInput(f"write mlops open {page.value}{'' if page is Page.console else ' NAME'}")
    client = new_client()
    address = f"{client.url}/console{_place(client, page, name or '')}"
    output.print_line(address)
    if not no_browser:
        typer.launch(address)


def _place(client: Client, page: Page, name: str) -> str:
    """Return where in the console something is, as the address has it. Raises BadInput: there is no such run."""
    if page is Page.experiment:
        return f"#/runs?experiment={quote(name, safe='')}"
    if page is Page.run:
        experiment, (run_id,) = find_runs(client, [name], None)
        return f"#/runs?experiment={quote(experiment, safe='')}&run={run_id}"
    if page is Page.model:
        return f"#/models?model={quote(name, safe='')}"
    return f"#/jobs?job={quote(name, safe='')}" if page is Page.job else ""
