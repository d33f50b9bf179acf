"""mlops open, console."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from mlops_client.cli import output
from mlops_client.cli.options import new_client
from mlops_client.errors import BadInput
from mlops_client.finding import find_runs

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
    app.command("console")(open_console)


NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Print the address, and do not open a browser.")]
SignedIn = Annotated[
    bool,
    typer.Option(
        "--sign-in",
        help="With --no-browser: an address that signs in with your key whoever opens it first, within a minute.",
    ),
]


def open_page(
    page: Annotated[Page, typer.Argument(metavar="PAGE", help="console, experiment, run, model or job.")],
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Name of the experiment, run or model; ID of the run or the job."),
    ] = None,
    no_browser: NoBrowser = False,
    sign_in: SignedIn = False,
) -> None:
    """Open the console in the browser, at an experiment, a run, a model or a job, signed in with your key."""
    if (name is None) != (page is Page.console):
        raise BadInput(f"write mlops open {page.value}{'' if page is Page.console else ' NAME'}")
    client = new_client()
    _open(client, f"{client.url}/console{_place(client, page, name or '')}", no_browser, sign_in)


def open_console(no_browser: NoBrowser = False, sign_in: SignedIn = False) -> None:
    """Open the console in the browser, signed in with your key."""
    client = new_client()
    _open(client, f"{client.url}/console", no_browser, sign_in)


def _open(client: Client, address: str, no_browser: bool, sign_in: bool) -> None:
    """Print an address that can be passed on; what opens the browser signs in, once."""
    from mlops_client.one_time import signed_in

    if sign_in and not no_browser:
        raise BadInput("--sign-in needs --no-browser: the browser is signed in anyway")
    once = None
    if sign_in or not no_browser:
        once = signed_in(client, address)
        if once is None:
            output.note("this platform is of an older version, so the console asks for your key")
    output.print_line(once if once and sign_in else address)
    if not no_browser:
        typer.launch(once or address)


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
